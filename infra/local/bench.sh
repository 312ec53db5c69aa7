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
    cargo build --release --locked --package gesta
    GESTA_POSTGRES_BIN=$("$HERE/postgres.sh" bin) suite_run cargo bench --package tests --locked
}

main
