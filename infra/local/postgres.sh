#!/usr/bin/env bash
# A private Postgres with pgvector under .local of this checkout.
#
#   postgres.sh install            fetch and unpack the programs (once)
#   postgres.sh start [INSTANCE]   start, or find the running one; prints its URL
#   postgres.sh stop [INSTANCE]    end it, within 3 s; data stays
#   postgres.sh status [INSTANCE]  say what runs where; 0 running, 3 stopped
#   postgres.sh url [INSTANCE]     print the URL of the running one
#   postgres.sh reset [INSTANCE]   stop and remove its data
#   postgres.sh bin                print the folder of its programs, such as pgbench
#   postgres.sh sweep FOLDER       reset every instance FOLDER/<pid> whose process has ended
#
# INSTANCE is a folder under .local (such as test/4711) for a server of its own; without it, the one of `make run`.
# GESTA_POSTGRES_URL names a server you already run: then nothing here is installed, started or stopped.
# GESTA_POSTGRES_SETTINGS adds server settings at start ("-c fsync=off").

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/postgres-install.sh
. "$HERE/postgres-install.sh"

umask 022 # the server's user must get to its programs and its data folder, also where root's mask is tighter

SETTINGS="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c shared_buffers=256MB -c max_connections=200 -c log_checkpoints=off"
START_SECONDS=60 # recovery after a crash included
FAST_STOP_SECONDS=2 # a disk that needs longer for what is in memory: it is in the journal, and recovered at the next start
IMMEDIATE_STOP_SECONDS=1
FIRST_PORT=25432 # below the ports systems hand out for outgoing connections (32768 and up)
PORTS=4000

select_instance() {
    INSTANCE=$BASE/${1:+$1/}postgres
    DATA=$INSTANCE/data
    LOG=$DATA/server.log
    [ ! -d "$DATA" ] || [ -x "$DATA" ] ||
        die "$DATA belongs to another user; run this as that user, or as root: infra/local/reset.sh"
}

# The process id of this instance's server, or nothing.
server_pid() {
    local pid=
    [ ! -r "$DATA/postmaster.pid" ] || pid=$(sed -n 1p "$DATA/postmaster.pid" 2>/dev/null || true)
    ! runs_as "$pid" "$DATA" || printf '%s\n' "$pid"
}

server_ready() { [ "$(sed -n '8s/ *$//p' "$DATA/postmaster.pid" 2>/dev/null)" = ready ]; }

server_url() { printf 'postgres://gesta@127.0.0.1:%s/postgres\n' "$(sed -n 4p "$DATA/postmaster.pid")"; }

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The port of the last start when it is free, so that URLs someone noted stay right.
choose_port() {
    local port=
    [ ! -r "$INSTANCE/port" ] || port=$(cat "$INSTANCE/port")
    case $port in
    '' | *[!0-9]*) ;;
    *) port_taken "$port" || { printf '%s\n' "$port"; return; }
       say "port $port of the last start is taken; choosing another" ;;
    esac
    local offset=$((RANDOM % PORTS)) tried=0
    while [ "$tried" -lt "$PORTS" ]; do
        port=$((FIRST_PORT + (offset + tried) % PORTS))
        port_taken "$port" || { printf '%s\n' "$port"; return; }
        tried=$((tried + 1))
    done
    die "no free port from $FIRST_PORT to $((FIRST_PORT + PORTS - 1)) on 127.0.0.1 for Postgres; free one or set GESTA_POSTGRES_URL"
}

create_data() {
    [ ! -d "$DATA" ] || return 0
    as_server id -un >/dev/null 2>&1 ||
        die "user $(as_server id -u) has no name in /etc/passwd, which Postgres needs; add it, run as another user, or set GESTA_POSTGRES_URL"
    local fresh=$INSTANCE/data.new output locale=C.UTF-8
    [ "$(uname -s)" != Darwin ] || locale=C
    rm -rf "$fresh"
    mkdir "$fresh"
    chmod 700 "$fresh"
    ! is_root || chown "$SERVER_UID:$SERVER_UID" "$fresh"
    # No sync: a half-made folder is never renamed into place.
    output=$(as_server "$BIN/initdb" -D "$fresh" -U gesta --auth=trust --encoding=UTF8 --locale="$locale" -N 2>&1) ||
        die "initdb failed in $fresh: $(printf '%s' "$output" | tail -n 2 | tr '\n' ' ')"
    mv "$fresh" "$DATA"
}

# end_orphans: ends the processes that a killed server left in the middle of a query; they would keep the next one from
# starting. Found by program and working folder, where /proc tells; elsewhere they end with their query.
end_orphans() {
    local process pid
    for process in /proc/[0-9]*; do
        [ "$process/cwd" -ef "$DATA" ] && [ "$process/exe" -ef "$BIN/postgres" ] || continue
        pid=${process#/proc/}
        kill -QUIT "$pid" 2>/dev/null || true
        await_end "$IMMEDIATE_STOP_SECONDS" "$pid" postgres || kill -KILL "$pid" 2>/dev/null || true
    done
}

# Called when no server of ours runs. Postgres refuses to start while the recorded id exists, be it another program's
# or a killed server nobody has reaped. That a killed server's children still hold its memory, it notices without the file.
clear_stale_pid() {
    [ -e "$DATA/postmaster.pid" ] || return 0
    say "Postgres ended without cleaning up; it recovers now"
    rm -f "$DATA/postmaster.pid"
    end_orphans
}

# launch PORT: fails when the server did not come up; its log says why.
launch() {
    [ ! -f "$LOG" ] || mv -f "$LOG" "$LOG.last"
    # Being ended between fork and pid file would leave a server that nobody knows of.
    trap '' TERM
    as_server "$BIN/pg_ctl" -s -w -t "$START_SECONDS" -D "$DATA" -l "$LOG" \
        -o "-p $1 $SETTINGS ${GESTA_POSTGRES_SETTINGS:-}" start >/dev/null 2>&1 </dev/null
    local code=$?
    trap - TERM
    return $code
}

start_server() {
    local attempt port
    as_server test -O "$DATA" ||
        die "$DATA belongs to another user than $(as_server id -un); run this as its owner, or remove it: make reset"
    clear_stale_pid
    for attempt in 1 2 3 4 5 6 7 8; do
        port=$(choose_port)
        if launch "$port"; then
            printf '%s\n' "$port" >"$INSTANCE/port"
            return
        fi
        if grep -q 'could not bind\|could not create any TCP/IP' "$LOG" 2>/dev/null; then
            rm -f "$INSTANCE/port"
        elif grep -q 'still in use' "$LOG" 2>/dev/null; then
            sleep 0.5 # the last processes of a killed server are on their way out
        else
            break
        fi
    done
    die "Postgres did not start ($attempt attempts): $(grep -m 1 'FATAL\|PANIC' "$LOG" 2>/dev/null || echo "no reason given"); its log is $LOG"
}

start() {
    install
    mkdir -p "$INSTANCE"
    take_lock "$INSTANCE/lock"
    create_data
    if [ -n "$(server_pid)" ]; then
        local tries=$((START_SECONDS * 20))
        until server_ready; do
            tries=$((tries - 1))
            [ "$tries" -gt 0 ] && [ -n "$(server_pid)" ] || die "Postgres (process $(server_pid)) does not get ready; the log is $LOG"
            sleep 0.05
        done
    else
        start_server
    fi
    release_lock "$INSTANCE/lock"
    server_url
}

stop() {
    [ -d "$DATA" ] || return 0
    take_lock "$INSTANCE/lock"
    local pid
    pid=$(server_pid)
    if [ -n "$pid" ]; then
        kill -INT "$pid" 2>/dev/null || [ -z "$(server_pid)" ] || die "may not end Postgres, process $pid; it belongs to another user"
        if ! await_end "$FAST_STOP_SECONDS" "$pid" "$DATA"; then
            kill -QUIT "$pid" 2>/dev/null || true
            await_end "$IMMEDIATE_STOP_SECONDS" "$pid" "$DATA" || kill -KILL "$pid" 2>/dev/null || true
        fi
    fi
    end_orphans
    release_lock "$INSTANCE/lock"
}

status() {
    local pid
    pid=$(server_pid)
    if [ -n "$pid" ]; then
        echo "running: $(server_url), process $pid, data in $DATA"
        return
    fi
    if [ -d "$DATA" ]; then echo "stopped: data in $DATA"; else echo "stopped: no data yet"; fi
    return 3
}

url() {
    [ -n "$(server_pid)" ] || die "Postgres of this checkout is not running; start it: infra/local/postgres.sh start"
    server_url
}

reset() {
    stop
    rm -rf "$DATA" "$INSTANCE/data.new" "$INSTANCE/port"
    [ -z "$1" ] || rm -rf "${BASE:?}/$1" "${LOCAL:?}/$1"
}

sweep() {
    local folder owner
    for folder in "$BASE/$1"/*/ "$LOCAL/$1"/*/; do
        owner=$(basename "$folder")
        case $owner in *[!0-9]*) continue ;; esac
        alive "$owner" || { select_instance "$1/$owner"; reset "$1/$owner"; }
    done
}

external() {
    case $1 in
    start | url) printf '%s\n' "$GESTA_POSTGRES_URL" ;;
    status) echo "the server that GESTA_POSTGRES_URL names; nothing is run here" ;;
    *) ;; # not ours to install, stop or empty
    esac
}

main() {
    local verb=${1:-}
    case $verb in
    install | start | stop | status | url | reset | bin | sweep) ;;
    *) die "usage: postgres.sh install|start|stop|status|url|reset|bin|sweep [INSTANCE]" ;;
    esac
    case ${2:-} in
    /* | *..* | *[!A-Za-z0-9_/-]*) die "INSTANCE is a folder under .local, such as test/4711; given: $2" ;;
    esac
    if [ -n "${GESTA_POSTGRES_URL:-}" ] && [ "$verb" != bin ]; then
        external "$verb"
        return
    fi
    select_base
    case $verb in
    install) install ;;
    bin) install >&2 && printf '%s\n' "$BIN" ;;
    sweep) sweep "${2:?sweep needs a folder, such as test}" ;;
    *)
        select_instance "${2:-}"
        "$verb" "${2:-}"
        ;;
    esac
}

main "$@"
