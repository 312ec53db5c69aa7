#!/usr/bin/env bash
# `make test [AREA=crate]`: every test against real parts, private to this run.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/suite.sh
. "$HERE/suite.sh"

# Many test binaries, each with pools of its own. Durability stays as in production: fsync=off gained nothing here.
TEST_SETTINGS="-c max_connections=400"
OUTPUT=$SUITE_FOLDER/cargo-test.txt

select_packages() {
    PACKAGES=(--workspace)
    [ -n "${AREA:-}" ] || return 0
    [ -f "$ROOT/$AREA/Cargo.toml" ] || die "AREA=$AREA is no part; the parts are: $(areas)"
    PACKAGES=(--package "$AREA")
}

areas() { (cd "$ROOT" && printf '%s\n' */Cargo.toml | xargs -n 1 dirname | tr '\n' ' '); }

# shellcheck disable=SC2329 # suite_run calls it
cargo_test() {
    set -o pipefail
    cargo test "${PACKAGES[@]}" --locked --no-fail-fast | tee "$OUTPUT"
}

# Adds up cargo's closing lines, one per test binary. A run without a single test is a failure, not a success.
summarise() {
    local passed failed ignored binaries
    read -r passed failed ignored binaries < <(sed -n 's/^test result: [^.]*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 \2 \3/p' "$OUTPUT" |
        awk '{ p += $1; f += $2; i += $3 } END { print p + 0, f + 0, i + 0, NR }')
    say "tests: $passed passed, $failed failed, $ignored ignored, in $binaries groups, $SECONDS s"
    [ $((passed + failed)) -gt 0 ] || die "no test ran${AREA:+ in AREA=$AREA}"
}

main() {
    cd "$ROOT"
    "$HERE/prerequisites.sh" test
    select_packages
    suite_start "$TEST_SETTINGS"
    # The parts whose tests read or write the log on Kafka.
    case ${AREA:-} in '' | command-service | event-log | gesta | projectors | tests) suite_start_kafka ;; esac
    suite_provision
    local code=0
    suite_run cargo_test || code=$?
    summarise
    exit "$code"
}

main
