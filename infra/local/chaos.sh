#!/usr/bin/env bash
# `make chaos [MINUTES=60] [SEED=n]`: three replicas on a Kafka of their own under load, killed, frozen and cut off for so
# long. The seed that it prints makes the same choices again; when which process does what, no seed can say.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/suite.sh
. "$HERE/suite.sh"

main() {
    cd "$ROOT"
    "$HERE/prerequisites.sh" test
    suite_start "-c max_connections=400"
    export GESTA_CHAOS_MINUTES=${MINUTES:-60}
    [ -z "${SEED:-}" ] || export GESTA_SEED=$SEED
    # All of it first, the executable included.
    suite_run cargo test --workspace --locked --no-run
    suite_run cargo test --workspace --locked --test suite -- nothing_is_lost_or_doubled_in_chaos --nocapture
}

main
