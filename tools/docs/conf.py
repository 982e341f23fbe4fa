# SPDX-License-Identifier: GPL-2.0-only
"""How Sphinx makes HTML of Documentation/*.rst. The files stay plain reStructuredText, which forges and
docutils show as well; what Sphinx wants to have in another way is done to them here, while they are read:

- The table of contents is made of what index.rst links to: a document that it leaves out is a warning,
  and so the end.
- Links between the files become links between the pages; other files of Documentation/ are copied.
- `.. picture instead: NAME` puts Documentation/pictures/NAME.dot in the place of the drawing in letters
  above it, `.. picture before: NAME` before it.
"""

import pathlib
import re
import shutil

from docutils import nodes
from sphinx.ext.graphviz import graphviz
from sphinx.util import logging

TREE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = TREE / "Documentation"

project = "baton"
author = "the authors of baton"
release = version = re.search(r'^PACKAGE_VERSION="(.*)"', (TREE / "dkms.conf").read_text(),
                              re.M)[1]
extensions = ["sphinx.ext.graphviz"]
root_doc = "index"
exclude_patterns = ["upstream", "man"]
highlight_language = "none"
graphviz_output_format = "svg"
html_theme = "alabaster"
html_theme_options = {"description": "virtio functions, one owner at a time", "page_width": "70em",
                      "fixed_sidebar": True}
html_copy_source = html_show_copyright = False
# Two builds are the same.
html_last_updated_fmt = None

log = logging.getLogger(__name__)
LINK = re.compile(r"<([\w/-]+)\.rst>`__")
PICTURE = re.compile(r"picture (instead|before): (\w+)")


def add_contents(_app, document, source):
    if document == root_doc:
        source[0] += "\n.. toctree::\n   :hidden:\n\n" + "".join(
            f"   {name}\n" for name in dict.fromkeys(LINK.findall(source[0])))


def draw_pictures(app, tree):
    document = app.env.docname
    for comment in list(tree.findall(nodes.comment)):
        match = PICTURE.fullmatch(comment.astext())
        if not match:
            continue
        siblings = comment.parent.children
        letters = siblings[siblings.index(comment) - 1]
        if not isinstance(letters, nodes.literal_block):
            log.warning("%s: no drawing above", comment.astext(), location=comment)
            continue
        source = DOCUMENTS / "pictures" / f"{match[2]}.dot"
        app.env.note_dependency(str(source))
        picture = graphviz(code=source.read_text(), alt=match[2],
                           options={"docname": document}, classes=[], align="center")
        if match[1] == "instead":
            comment.parent.replace(letters, picture)
        else:
            comment.parent.insert(siblings.index(letters), picture)


def mend_links(app, tree):
    for link in tree.findall(nodes.reference):
        uri = link.get("refuri", "")
        if not uri or re.match(r"[a-z]+:|#", uri):
            continue
        path, mark, place = uri.partition("#")
        if not (DOCUMENTS / path).is_file():
            log.warning("there is no %s", uri, location=link)
        elif path.endswith(".rst"):
            link["refuri"] = path.removesuffix(".rst") + ".html" + mark + place
        else:
            copy = pathlib.Path(app.outdir, path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(DOCUMENTS / path, copy)


def read(app, tree):
    draw_pictures(app, tree)
    mend_links(app, tree)


def setup(app):
    app.connect("source-read", add_contents)
    app.connect("doctree-read", read)
