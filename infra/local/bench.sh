#!/usr/bin/env bash
# `make bench`: the measurements, in the release profile, against a Postgres of their own that writes to disk for real.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/suite.sh
. "$HERE/suite.sh"

main() {
    cd "$ROOT"
    "$HERE/prerequisites.sh" run
    [ -n "$(find "$ROOT"/*/benches -name '*.rs' 2>/dev/null | head -n 1)" ] || die "no benchmark is written yet"
    suite_start "-c max_connections=400"
    # All of the workspace, so that every part is built with the same features, and once.
    suite_run cargo build --release --locked --workspace --bins --examples
    GESTA_POSTGRES_BIN=$("$HERE/postgres.sh" bin) suite_run cargo bench --locked --workspace --bench bench --bench waits
    local examples
    examples=$(target_folder)/release/examples
    suite_run "$examples/projection_rate"
    suite_run "$examples/restart" "$SUITE_FOLDER/restart"
}

main
