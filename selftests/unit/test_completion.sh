#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tools/baton/completion: what bash offers. `baton` here is a function that says what the program
# would; its --help is taken from the program's source, whose table it prints.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
tool=../../tools/baton

baton() {
	case $* in
	--help) sed -n 's/^\t{ "\([a-z]*\)", ".*", [0-9].*/  \1 ARGUMENTS/p' $tool/main.c ;;
	"add --help") echo "keys: function mac owner policy" ;;
	"give --help") printf '  -f, --force        x\n  -t, --timeout S    x\n' ;;
	list) printf '%s\n' 'NAME FUNCTION CLASS' 'net0 0000:65:00.2 net' '- 0000:65:00.3 net' ;;
	*) return 1 ;;
	esac
}

# shellcheck source=../../tools/baton/completion
. $tool/completion

echo "KTAP version 1"
echo "1..12"
number=0
failed=0

# offers WANTED WORD...: the last word is the one at the cursor.
offers() {
	local wanted=$1 got
	shift
	COMP_WORDS=(baton "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_baton
	got=${COMPREPLY[*]-}
	number=$((number + 1))
	if [[ $got == "$wanted" ]]; then
		echo "ok $number baton $*"
	else
		echo "# got '$got', wanted '$wanted'"
		echo "not ok $number baton $*"
		failed=1
	fi
}

offers "add apply" a
offers "give" gi
offers "net0" give ""
offers "kernel" give net0 k
offers "kernel user none" give --timeout 5 net0 ""
offers "--force" give net0 --f
offers "0000:65:00.2 0000:65:00.3" bind ""
offers "0000:65:00.3" add new 0000:65:00.3
offers "mac" add new 0000:65:00.3 m
offers "strict" add new 0000:65:00.3 policy s
offers "owner" add new 0000:65:00.3 policy strict ow
offers "" list ""
exit $failed
