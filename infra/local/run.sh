#!/usr/bin/env bash
# `make run`: from a fresh checkout to the main job. Settings come from the environment: REPO, ONCE, LOG.
# Ctrl-C (or TERM) ends everything started here within 5 s and keeps the data.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck source=infra/local/run-kafka.sh
. "$HERE/run-kafka.sh"

STEPS=4
GESTA_STOP_SECONDS=2 # gesta dev ends itself before that; Postgres has the rest of the 5 s
RUN_PID_FILE=$LOCAL/run.pid
GESTA_PID_FILE=$LOCAL/gesta.pid
POSTGRES_JOB=
FOREGROUND_JOB=
INSTANCE= # of Postgres; read models belong to one log, so a log on Kafka has its own

# Every part started here leads a process group of its own, so the terminal's Ctrl-C reaches only this script,
# and each part gets exactly one signal, in order.
set -m

finish() {
    local code=$?
    trap '' INT TERM HUP USR1
    [ -z "$FOREGROUND_JOB" ] || stop_group "$FOREGROUND_JOB" "$GESTA_STOP_SECONDS"
    [ "${LOG:-}" != kafka ] || stop_roles
    [ -z "$POSTGRES_JOB" ] || stop_group "$POSTGRES_JOB" 1
    "$HERE/postgres.sh" stop $INSTANCE || true
    rm -f "$RUN_PID_FILE" "$GESTA_PID_FILE" "$LOCAL/postgres-url"
    exit "$code"
}

interrupted() {
    say ""
    say "stopping; the data stays in $LOCAL (make reset removes it)"
    exit 0
}

resolve_repo() {
    REPO=${REPO:-$ROOT}
    # A shell expands ~ only at the start of a word, not after REPO=.
    # shellcheck disable=SC2088
    case $REPO in '~/'*) REPO=$HOME/${REPO#'~/'} ;; esac
    [ -d "$REPO" ] || die "REPO=$REPO is no folder; give the path of a repository: make run REPO=../other"
    REPO=$(cd "$REPO" && pwd -P)
}

check_settings() {
    resolve_repo
    case ${LOG:-embedded} in
    embedded) ;;
    kafka) INSTANCE=run-kafka ;;
    *) die "LOG=$LOG is not known; the log is embedded (leave LOG out) or on Kafka (LOG=kafka)" ;;
    esac
    case ${ONCE:-} in '' | 0 | 1) ;; *) die "ONCE=$ONCE is not known; ONCE=1 ends after the job" ;; esac
}

# One run per checkout; what a killed run left behind is ended first.
claim_checkout() {
    local other gesta
    mkdir -p "$LOCAL"
    other=$(cat "$RUN_PID_FILE" 2>/dev/null || true)
    if runs_as "$other" infra/local/run.sh; then
        die "Gesta already runs from this checkout (process $other); end it there with Ctrl-C, or: kill $other"
    fi
    for gesta in $(cat "$GESTA_PID_FILE" 2>/dev/null || true); do
        if runs_as "$gesta" /debug/gesta; then
            say "ending process $gesta, left behind by a run that was killed"
            stop_group "$gesta" "$GESTA_STOP_SECONDS"
        fi
    done
    echo $$ >"$RUN_PID_FILE"
}

start_postgres() {
    if [ -n "${GESTA_POSTGRES_URL:-}" ]; then
        step 2 $STEPS "Postgres: the server that GESTA_POSTGRES_URL names"
        return
    fi
    step 2 $STEPS "Postgres 16 with pgvector, in the background (first time about 10 s, then 1 s)"
    rm -f "$LOCAL/postgres-url"
    ("$HERE/postgres.sh" start $INSTANCE >"$LOCAL/postgres-url" || kill -USR1 $$) </dev/null &
    POSTGRES_JOB=$!
}

# Waits for the foreground job; a signal's trap runs at once, not after the job.
await() {
    local code=0
    wait "$FOREGROUND_JOB" || code=$?
    FOREGROUND_JOB=
    return $code
}

build() {
    step 3 $STEPS "building Gesta (first time 5 to 8 minutes on 2 cores, then 1 s)"
    cargo build --locked --package gesta </dev/null &
    FOREGROUND_JOB=$!
    await || die "the build failed; cargo says why above"
    PROGRAM=$(target_folder)/debug/gesta
}

await_postgres() {
    [ -n "$POSTGRES_JOB" ] || return 0
    wait "$POSTGRES_JOB" || die "Postgres did not start; the reason is above"
    POSTGRES_JOB=
    GESTA_POSTGRES_URL=$(cat "$LOCAL/postgres-url")
}

run_gesta() {
    step 4 $STEPS "starting Gesta on $REPO (Ctrl-C ends all of it)"
    local arguments=(dev --demo --repo "$REPO") code=0
    [ "${ONCE:-0}" != 1 ] || arguments+=(--once)
    GESTA_POSTGRES_URL=$GESTA_POSTGRES_URL GESTA_DATA_DIR=$LOCAL/data "$PROGRAM" "${arguments[@]}" </dev/null &
    FOREGROUND_JOB=$!
    echo "$FOREGROUND_JOB" >"$GESTA_PID_FILE"
    await || code=$?
    [ "$code" = 0 ] || say "error: Gesta ended with code $code; its last lines above say why"
    return "$code"
}

main() {
    cd "$ROOT"
    "$HERE/prerequisites.sh" run
    check_settings
    step 1 $STEPS "prerequisites: all there"
    claim_checkout
    trap finish EXIT
    trap interrupted INT TERM HUP
    trap 'exit 1' USR1
    start_postgres
    [ "${LOG:-}" != kafka ] || start_kafka
    build
    await_postgres
    if [ "${LOG:-}" = kafka ]; then
        await_kafka
        run_roles
    else
        run_gesta
    fi
}

main
