#!/usr/bin/env bash
# `make check`: format, lints, the architecture's rules, and generated files that match their source. No server needed.
# `make generate` (check.sh generate): writes the generated files anew.
#
# The convention behind both: a test whose name ends in "is_current" compares one committed file with what the code
# gives, and writes it instead when GESTA_REGENERATE=1. A test whose path contains "architecture" guards a rule.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STEPS=3

# tests_named WORD…: runs the tests whose path contains one of the words; a word that no test has is a failure.
tests_named() {
    local output word code=0
    output=$(mktemp "${TMPDIR:-/tmp}/gesta-check.XXXXXX")
    cargo test --workspace --locked --no-fail-fast -- "$@" | tee "$output" | grep -v '^$\|^running 0\|Running\| 0 passed; 0 failed' || true
    code=${PIPESTATUS[0]}
    for word in "$@"; do
        grep -q "^test .*$word.* \.\.\. " "$output" || {
            say "error: no test has \"$word\" in its path, so nothing was checked"
            code=1
        }
    done
    rm -f "$output"
    [ "$code" = 0 ] || die "a rule is broken, a generated file is old (make generate writes it), or a check is missing; see above"
}

check() {
    step 1 $STEPS "format"
    cargo fmt --all --check || die "not formatted; run: cargo fmt --all"
    step 2 $STEPS "lints"
    cargo clippy --workspace --all-targets --locked -- -D warnings || die "clippy found the above"
    step 3 $STEPS "architecture and generated files"
    tests_named architecture is_current
}

cd "$ROOT"
case ${1:-check} in
check) check ;;
generate) GESTA_REGENERATE=1 tests_named is_current ;;
*) die "usage: check.sh [check|generate]" ;;
esac
