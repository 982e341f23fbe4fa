# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# KTAP for the checks that run on the host. Sourced; the caller ends with `finish`.

passed=0
failed=0
skipped=0

# Where a command's output goes until we know whether anybody wants to see it.
ktap_out=$(mktemp)
trap 'rm -f "$ktap_out"' EXIT

echo "KTAP version 1"

ktap_number() { echo $((passed + failed + skipped)); }

ok() {
	passed=$((passed + 1))
	echo "ok $(ktap_number) $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok $(ktap_number) $1"
}

# skip NAME WHY
skip() {
	skipped=$((skipped + 1))
	echo "ok $(ktap_number) $1 # SKIP $2"
}

# check NAME COMMAND...: one case. The command's output is shown only when it fails.
check() {
	local name=$1
	shift
	if "$@" >"$ktap_out" 2>&1 </dev/null; then
		ok "$name"
	else
		sed 's/^/# /' "$ktap_out"
		not_ok "$name"
	fi
}

# Print the plan and the totals; the exit status says whether all is well.
finish() {
	echo "1..$(ktap_number)"
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0 && passed > 0))
}
