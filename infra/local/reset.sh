#!/usr/bin/env bash
# `make reset`: ends what `make run` started and removes its data. Programs that were fetched or built stay.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STOP_SECONDS=6

end_run() {
    local run
    run=$(cat "$LOCAL/run.pid" 2>/dev/null || true)
    runs_as "$run" infra/local/run.sh || return 0
    kill -TERM "$run"
    await_end "$STOP_SECONDS" "$run" infra/local/run.sh || die "process $run (make run) does not end; end it, then run make reset again"
}

end_leftover() {
    local gesta
    for gesta in $(cat "$LOCAL/gesta.pid" 2>/dev/null || true); do
        ! runs_as "$gesta" "/debug/gesta" || stop_group "$gesta" "$STOP_SECONDS"
    done
}

end_run
end_leftover
"$HERE/postgres.sh" reset
"$HERE/postgres.sh" reset run-kafka
"$HERE/kafka.sh" reset run-kafka
rm -rf "$LOCAL/data" "$LOCAL/run-kafka" "$LOCAL/run.pid" "$LOCAL/gesta.pid" "$LOCAL/postgres-url"
say "removed the log and the read models of this checkout${GESTA_POSTGRES_URL:+ (not what is in the server of GESTA_POSTGRES_URL)}${GESTA_KAFKA_BROKERS:+ (not what is in the brokers of GESTA_KAFKA_BROKERS)}"
