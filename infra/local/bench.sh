#!/usr/bin/env bash
# `make bench`: the measurements, in the release profile, against a Postgres of their own that writes to disk for real.
# `make bench-kafka` (bench.sh kafka): those of the log and the public topics on a Kafka of their own.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/suite.sh
. "$HERE/suite.sh"

main() {
    cd "$ROOT"
    "$HERE/prerequisites.sh" "$([ "${1:-}" = kafka ] && echo test || echo run)"
    [ -n "$(find "$ROOT"/*/benches -name '*.rs' 2>/dev/null | head -n 1)" ] || die "no benchmark is written yet"
    suite_start "-c max_connections=400"
    # All of the workspace, so that every part is built with the same features, and once.
    suite_run cargo build --release --locked --workspace --bins --examples
    if [ "${1:-}" = kafka ]; then
        GESTA_KAFKA_BROKERS=$("$HERE/kafka.sh" start "$SUITE")
        export GESTA_KAFKA_BROKERS
        suite_run "$(target_folder)/release/examples/kafka_rate"
        suite_run cargo bench --locked --workspace --bench bench -- topics
        export GESTA__LOG=kafka
        suite_run "$(target_folder)/release/gesta" log init
        GESTA_POSTGRES_BIN=$("$HERE/postgres.sh" bin) suite_run cargo bench --locked --workspace --bench bench
        return
    fi
    GESTA_POSTGRES_BIN=$("$HERE/postgres.sh" bin) suite_run cargo bench --locked --workspace --bench bench --bench waits
    local examples
    examples=$(target_folder)/release/examples
    suite_run "$examples/projection_rate"
    suite_run "$examples/restart" "$SUITE_FOLDER/restart"
}

main "$@"
