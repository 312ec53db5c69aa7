# shellcheck shell=bash disable=SC2034,SC2154
# `make run LOG=kafka`: a private Kafka, and every role a process of its own, two of those that take commands.
# Sourced by run.sh.

KAFKA_JOB=
ROLE_JOBS=()
ROLES_STOP_SECONDS=2
ROLE_START_SECONDS=60 # Kafka may still be making its topics
KAFKA_DATA=$LOCAL/run-kafka/data
COMMANDS=127.0.0.1:7070
QUERIES=127.0.0.1:7072
OTHER_COMMANDS=127.0.0.1:7074

start_kafka() {
    if [ -n "${GESTA_KAFKA_BROKERS:-}" ]; then
        say "      Kafka: the brokers that GESTA_KAFKA_BROKERS names"
        return
    fi
    say "      Kafka 4.2.1, in the background too (first time about 60 s, then 5 s)"
    mkdir -p "$KAFKA_DATA"
    rm -f "$KAFKA_DATA/brokers"
    ("$HERE/kafka.sh" start run-kafka >"$KAFKA_DATA/brokers" || kill -USR1 $$) </dev/null &
    KAFKA_JOB=$!
}

await_kafka() {
    if [ -n "$KAFKA_JOB" ]; then
        wait "$KAFKA_JOB" || die "Kafka did not start; the reason is above"
        KAFKA_JOB=
        BROKERS=$(cat "$KAFKA_DATA/brokers")
    else
        BROKERS=$GESTA_KAFKA_BROKERS
    fi
}

answers() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }

# start_role NAME ADDRESS SECOND_ADDRESS ROLE: one process; its log lines go to a file.
start_role() {
    local name=$1 address=$2 ops=$3 role=$4 log=$KAFKA_DATA/$1.log waited=$SECONDS job
    ! answers "$ops" || die "$ops is in use by another program; end it: LOG=kafka needs the ports 7070 to 7076 of 127.0.0.1"
    mkdir -p "$KAFKA_DATA/$name"
    set -- "$role" --data-dir "$KAFKA_DATA/$name" --set log=kafka --kafka-brokers "$BROKERS" --ops-listen "$ops"
    [ -z "$address" ] || set -- "$@" --listen "$address"
    GESTA_POSTGRES_URL=$GESTA_POSTGRES_URL "$PROGRAM" "$@" </dev/null >"$log" 2>&1 &
    job=$!
    ROLE_JOBS+=("$job")
    echo "$job" >>"$GESTA_PID_FILE"
    until answers "${address:-$ops}"; do
        kill -0 "$job" 2>/dev/null || die "$name ended: $(tail -n 1 "$log")"
        [ $((SECONDS - waited)) -lt "$ROLE_START_SECONDS" ] || die "$name does not listen on ${address:-$ops}; see $log"
        sleep 0.1
    done
}

run_roles() {
    step 4 $STEPS "starting Gesta on $REPO: two processes for commands, one for projections, one for queries (Ctrl-C ends all of it)"
    "$PROGRAM" log init --kafka-brokers "$BROKERS" >/dev/null || die "the log's topic cannot be made; the reason is above"
    : >"$GESTA_PID_FILE"
    start_role commands-1 $COMMANDS 127.0.0.1:7071 command-service
    start_role commands-2 $OTHER_COMMANDS 127.0.0.1:7075 command-service
    start_role projectors "" 127.0.0.1:7076 projectors
    start_role queries $QUERIES 127.0.0.1:7073 query-api
    local code=0
    "$PROGRAM" demo --repo "$REPO" --url "http://$COMMANDS" --query-url "http://$QUERIES" \
        --worker-url "http://$COMMANDS" --worker-url "http://$OTHER_COMMANDS" </dev/null &
    FOREGROUND_JOB=$!
    await || code=$?
    [ "$code" = 0 ] || say "error: the job ended with code $code; the log lines of each process are in $KAFKA_DATA"
    [ "${ONCE:-0}" != 1 ] && [ "$code" = 0 ] || return "$code"
    say "Gesta stays up; commands go to http://$COMMANDS or http://$OTHER_COMMANDS; Ctrl-C ends it and keeps the data"
    FOREGROUND_JOB=${ROLE_JOBS[0]}
    await || die "a process ended by itself; see $KAFKA_DATA/commands-1.log"
}

# Ends every process at once, and then the brokers: what was acknowledged is in their log.
stop_roles() {
    local job
    for job in ${ROLE_JOBS[@]+"${ROLE_JOBS[@]}"}; do kill -TERM -- "-$job" 2>/dev/null || true; done
    local tries=$((ROLES_STOP_SECONDS * 20))
    for job in ${ROLE_JOBS[@]+"${ROLE_JOBS[@]}"}; do
        while kill -0 -- "-$job" 2>/dev/null && [ "$tries" -gt 0 ]; do
            tries=$((tries - 1))
            sleep 0.05
        done
        kill -KILL -- "-$job" 2>/dev/null || true
        wait "$job" 2>/dev/null || true
    done
    [ -z "$KAFKA_JOB" ] || stop_group "$KAFKA_JOB" 1
    "$HERE/kafka.sh" kill run-kafka 1 >/dev/null 2>&1 || true
}
