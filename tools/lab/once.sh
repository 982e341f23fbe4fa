# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What is made once, in the root file system, and kept beside it, so that both go together. Sourced.

# make_once DIRECTORY NAME [--bind FROM:TO]... -- COMMAND...: print the path DIRECTORY/NAME. If it is not there,
# COMMAND, in the root file system, is to make it as /run/out/NAME.new.
make_once() {
	local dir=$1 image=$1/$2
	shift 2
	if [[ ! -e $image ]]; then
		mkdir -p "$dir"
		exec 9>"$dir/lock"
		flock 9
		if [[ ! -e $image ]]; then
			rm -f "$image.new"
			"$(dirname "${BASH_SOURCE[0]}")/enter" --bind "$dir:/run/out" "$@"
			mv "$image.new" "$image"
		fi
	fi
	echo "$image"
}
