# shellcheck shell=bash
# A Postgres, and where it is asked for a Kafka, of its own for one run of tests or benchmarks, gone with it. Sourced
# after lib.sh.

SUITE=test/$$
SUITE_FOLDER=$LOCAL/$SUITE
SUITE_JOB=

# Each part leads a process group of its own: Ctrl-C reaches only the script, which then ends them.
set -m

suite_finish() {
    local code=$?
    trap '' INT TERM HUP
    [ -z "$SUITE_JOB" ] || stop_group "$SUITE_JOB" 2
    [ -n "${SUITE_EXTERNAL:-}" ] || env -u GESTA_POSTGRES_URL "$HERE/postgres.sh" reset "$SUITE" || true
    env -u GESTA_KAFKA_BROKERS "$HERE/kafka.sh" reset "$SUITE" || true
    env -u GESTA_KAFKA_BROKERS "$HERE/kafka.sh" reset "three/$SUITE" || true
    rm -rf "$SUITE_FOLDER"
    exit "$code"
}

# suite_start SETTINGS: starts the server and exports its URL; removes what killed runs left.
suite_start() {
    mkdir -p "$SUITE_FOLDER"
    SUITE_EXTERNAL=${GESTA_POSTGRES_URL:-}
    trap suite_finish EXIT
    trap 'exit 130' INT TERM HUP
    if [ -z "$SUITE_EXTERNAL" ]; then
        "$HERE/postgres.sh" sweep test
        GESTA_POSTGRES_URL=$(GESTA_POSTGRES_SETTINGS=$1 "$HERE/postgres.sh" start "$SUITE")
        export GESTA_POSTGRES_URL
    fi
}

# suite_start_kafka: exports GESTA_KAFKA_BROKERS, one node, and GESTA_KAFKA_BROKERS_THREE, a cluster of three.
suite_start_kafka() {
    env -u GESTA_KAFKA_BROKERS "$HERE/kafka.sh" sweep test
    if [ -z "${GESTA_KAFKA_BROKERS_THREE:-}" ]; then
        GESTA_KAFKA_BROKERS_THREE=$(env -u GESTA_KAFKA_BROKERS "$HERE/kafka.sh" start "three/$SUITE")
        export GESTA_KAFKA_BROKERS_THREE
    fi
    GESTA_KAFKA_BROKERS=$("$HERE/kafka.sh" start "$SUITE")
    export GESTA_KAFKA_BROKERS
}

# suite_run COMMAND…: in the background, so that Ctrl-C is heeded at once.
suite_run() {
    local code=0
    "$@" </dev/null &
    SUITE_JOB=$!
    wait "$SUITE_JOB" || code=$?
    SUITE_JOB=
    return $code
}

# suite_provision: every executable provision.sh in a tests folder fetches what its tests need, into .local.
suite_provision() {
    local script
    while IFS= read -r script; do
        say "provisioning: ${script#"$ROOT/"}"
        suite_run "$script" || die "${script#"$ROOT/"} failed; it says why above"
    done < <(find "$ROOT" \( -path "$ROOT/target" -o -path "$LOCAL" \) -prune -o -path '*/tests/*' -name provision.sh -perm -u+x -print | sort)
}
