#!/usr/bin/env bash
# A private Kafka under .local of this checkout: one node, or three.
#
#   kafka.sh install                fetch the programs (once)
#   kafka.sh start [INSTANCE]       start what does not run of it; prints the brokers' addresses
#   kafka.sh stop [INSTANCE]        end it, within 10 s; data stays
#   kafka.sh kill INSTANCE NODE     end one broker with SIGKILL; start brings it back at the same address
#   kafka.sh freeze INSTANCE NODE   stop one broker where it is; its connections stay open and silent
#   kafka.sh thaw INSTANCE NODE     let it go on
#   kafka.sh status [INSTANCE]      say what runs where; 0 running, 3 stopped
#   kafka.sh brokers [INSTANCE]     print the addresses of the running one
#   kafka.sh detours INSTANCE       print where a broker listens for each of GESTA_KAFKA_DETOURS
#   kafka.sh reset [INSTANCE]       end it at once and remove its data
#   kafka.sh tool CLASS ARGUMENTS…  run one of Kafka's own tools, such as org.apache.kafka.tools.TopicCommand
#   kafka.sh sweep FOLDER           reset every instance below FOLDER/<pid> and three/FOLDER/<pid> whose process ended
#
# INSTANCE is a folder under .local (such as test/4711) for brokers of its own; without it, the one of `make run`.
# Where its first part is "three" (three/test/4711), it has three nodes with three copies of everything.
# GESTA_KAFKA_DETOURS names proxies, HOST:PORT, separated by spaces, whose clients are told to come by them: an instance of
# one node has a listener of its own for each, and of three nodes each has one for its own of three.
# GESTA_KAFKA_PROPERTIES has further lines for the brokers' properties, which replace those that stand here.
# GESTA_KAFKA_SCRAM is a user that new brokers know, as Kafka's own tool for that takes it: SCRAM-SHA-512=[name=…,password=…].
# GESTA_KAFKA_BROKERS names brokers you already run: then nothing here is installed, started or stopped.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=infra/local/kafka-install.sh
. "$HERE/kafka-install.sh"

START_SECONDS=120 # a broker with gigabytes of log checks it after a crash
STOP_SECONDS=8
FIRST_PORT=21092 # below the ports systems hand out for outgoing connections (32768 and up)
PORTS=4000

select_instance() {
    INSTANCE=$LOCAL/${1:+$1/}kafka
    case ${1:-} in
    three/*) NODES=3 HEAP=400m ;;
    *) NODES=1 HEAP=512m ;;
    esac
}

node_folder() { printf '%s/node%s\n' "$INSTANCE" "$1"; }

# node_pid NODE: the process id of this broker, or nothing.
node_pid() {
    local folder pid
    folder=$(node_folder "$1")
    pid=$(cat "$folder/pid" 2>/dev/null || true)
    ! runs_as "$pid" "$folder/server.properties" || printf '%s\n' "$pid"
}

running_nodes() {
    local node
    for node in $(seq "$NODES"); do [ -z "$(node_pid "$node")" ] || printf '%s ' "$node"; done
}

addresses() {
    local node list=
    for node in $(seq "$NODES"); do list=$list${list:+,}127.0.0.1:$(sed -n 1p "$(node_folder "$node")/ports"); done
    printf '%s\n' "$list"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# await_free PORT: a killed broker may hold its ports a moment longer than its name.
await_free() {
    local tries=100
    while port_taken "$1"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# choose_ports: two for every node and one for each detour; those of the last start when they are free, so that addresses someone noted stay right.
choose_ports() {
    local node folder port wanted needed offset=$((RANDOM % PORTS)) chosen=
    for node in $(seq "$NODES"); do
        needed=$((2 + $(detours_of "$node" "$NODES" | wc -w)))
        folder=$(node_folder "$node")
        wanted=$(cat "$folder/ports" 2>/dev/null || true)
        : >"$folder/ports.new"
        for port in $wanted; do
            await_free "$port" && printf '%s\n' "$port" >>"$folder/ports.new"
        done
        while [ "$(wc -l <"$folder/ports.new")" -lt "$needed" ]; do
            offset=$((offset + 1))
            [ "$offset" -le $((2 * PORTS)) ] || die "no free port from $FIRST_PORT on 127.0.0.1 for Kafka; free one or set GESTA_KAFKA_BROKERS"
            port=$((FIRST_PORT + offset % PORTS))
            case "$chosen " in *" $port "*) continue ;; esac
            port_taken "$port" || printf '%s\n' "$port" >>"$folder/ports.new"
        done
        mv "$folder/ports.new" "$folder/ports"
        chosen="$chosen $(tr '\n' ' ' <"$folder/ports")"
    done
}

# set_up: ports, properties and, once, formatted data folders of every node.
set_up() {
    local node folder voters=
    for node in $(seq "$NODES"); do mkdir -p "$(node_folder "$node")"; done
    choose_ports
    for node in $(seq "$NODES"); do
        voters=$voters${voters:+,}$node@127.0.0.1:$(sed -n 2p "$(node_folder "$node")/ports")
    done
    # A cluster's id is 16 octets in base 64; one that begins with a dash would be taken for a flag.
    [ -s "$INSTANCE/cluster" ] || head -c 16 /dev/urandom | base64 | tr '+/' 'Kf' | cut -c 1-22 >"$INSTANCE/cluster"
    local formatting=()
    for node in $(seq "$NODES"); do
        folder=$(node_folder "$node")
        write_properties "$folder" "$node" "$voters" "$NODES"
        [ -f "$folder/formatted" ] || {
            rm -rf "$folder/data"
            (run_java 128m kafka.tools.StorageTool format -t "$(cat "$INSTANCE/cluster")" -c "$folder/server.properties" \
                ${GESTA_KAFKA_SCRAM:+--add-scram "$GESTA_KAFKA_SCRAM"}) \
                >"$folder/format.log" 2>&1 &
            formatting+=("$!:$folder")
        }
    done
    for node in ${formatting[@]+"${formatting[@]}"}; do
        folder=${node#*:}
        wait "${node%%:*}" || die "Kafka's data folder was not made: $(tail -n 1 "$folder/format.log")"
        : >"$folder/formatted"
    done
}

# launch NODE: a process group of its own, which outlives this script and does not hear the terminal's Ctrl-C.
launch() {
    local folder
    folder=$(node_folder "$1")
    [ ! -f "$folder/server.log" ] || mv -f "$folder/server.log" "$folder/server.log.last"
    set -m
    (
        trap '' HUP
        run_java "$HEAP" kafka.Kafka "$folder/server.properties"
    ) >"$folder/server.log" 2>&1 </dev/null &
    printf '%s\n' "$!" >"$folder/pid"
    set +m
}

await_ready() {
    local node folder tries=$((START_SECONDS * 20))
    for node in $(seq "$NODES"); do
        folder=$(node_folder "$node")
        until grep -q 'Kafka Server started' "$folder/server.log" 2>/dev/null; do
            tries=$((tries - 1))
            # Between fork and exec the command line is still this script's.
            [ "$tries" -gt 0 ] && alive "$(cat "$folder/pid")" ||
                die "broker $node of Kafka did not start: $(grep -m 1 'ERROR\|FATAL\|Error' "$folder/server.log" || echo "no reason given"); its log is $folder/server.log"
            sleep 0.05
        done
    done
}

start() {
    local node running
    install
    mkdir -p "$INSTANCE"
    take_lock "$INSTANCE/lock"
    running=$(running_nodes)
    [ -n "$running" ] || set_up
    for node in $(seq "$NODES"); do
        case " $running" in *" $node "*) ;; *) launch "$node" ;; esac
    done
    await_ready
    release_lock "$INSTANCE/lock"
    addresses
}

# end_nodes SIGNAL: signals every running broker, waits, and ends by force what is left.
end_nodes() {
    local node pid folder signal=$1
    for node in $(running_nodes); do kill "-$signal" "$(node_pid "$node")" 2>/dev/null || true; done
    for node in $(running_nodes); do
        pid=$(node_pid "$node")
        folder=$(node_folder "$node")
        if ! await_end "$STOP_SECONDS" "${pid:-0}" "$folder/server.properties"; then
            kill -KILL "$pid" 2>/dev/null || true
            await_end 2 "$pid" "$folder/server.properties" || die "broker $node, process $pid, does not end"
        fi
    done
}

stop() {
    [ -d "$INSTANCE" ] || return 0
    take_lock "$INSTANCE/lock"
    end_nodes TERM
    release_lock "$INSTANCE/lock"
}

# signal_node SIGNAL NODE
signal_node() {
    local pid
    pid=$(node_pid "$2")
    [ -n "$pid" ] || die "broker $2 of $INSTANCE does not run"
    kill "-$1" "$pid"
}

kill_node() {
    local pid
    pid=$(node_pid "$1")
    signal_node KILL "$1"
    await_end "$STOP_SECONDS" "$pid" "$(node_folder "$1")/server.properties" || die "broker $1, process $pid, does not end"
}

freeze_node() { signal_node STOP "$1"; }

thaw_node() { signal_node CONT "$1"; }

status() {
    local node running
    running=$(running_nodes)
    for node in $running; do echo "running: broker $node, process $(node_pid "$node")"; done
    if [ -n "$running" ]; then
        echo "addresses $(addresses), data in $INSTANCE"
        return
    fi
    if [ -d "$INSTANCE" ]; then echo "stopped: data in $INSTANCE"; else echo "stopped: no data yet"; fi
    return 3
}

brokers() {
    [ -n "$(running_nodes)" ] || die "Kafka of this checkout is not running; start it: infra/local/kafka.sh start"
    addresses
}

detours() {
    local node
    for node in $(seq "$NODES"); do sed -n '3,$s/^/127.0.0.1:/p' "$(node_folder "$node")/ports"; done
}

reset() {
    [ -d "$INSTANCE" ] || return 0
    take_lock "$INSTANCE/lock"
    end_nodes KILL
    rm -rf "$INSTANCE"
    # The folders of the instance too, as far as nothing else is in them.
    [ -z "${1:-}" ] || (cd "$LOCAL" && rmdir -p "$1" 2>/dev/null) || true
}

sweep() {
    local folder owner
    for folder in "$LOCAL/$1"/*/ "$LOCAL/three/$1"/*/; do
        owner=$(basename "$folder")
        case $owner in *[!0-9]*) continue ;; esac
        alive "$owner" || {
            while IFS= read -r folder; do
                folder=${folder#"$LOCAL/"}
                select_instance "${folder%/kafka}"
                reset "${folder%/kafka}"
            done < <(find "$folder" -type d -name kafka -prune)
        }
    done
}

external() {
    case $1 in
    start | brokers) printf '%s\n' "$GESTA_KAFKA_BROKERS" ;;
    status) echo "the brokers that GESTA_KAFKA_BROKERS names; nothing is run here" ;;
    *) ;; # not ours to install, stop or empty
    esac
}

main() {
    local verb=${1:-}
    case $verb in
    install | start | stop | kill | freeze | thaw | status | brokers | detours | reset | tool | sweep) ;;
    *) die "usage: kafka.sh install|start|stop|kill|freeze|thaw|status|brokers|detours|reset|tool|sweep [INSTANCE]" ;;
    esac
    if [ "$verb" = tool ]; then
        install
        shift
        run_java 256m -Dgesta.kafka.log=error "$@"
    fi
    case ${2:-} in
    /* | *..* | *[!A-Za-z0-9_/-]*) die "INSTANCE is a folder under .local, such as test/4711; given: $2" ;;
    esac
    if [ -n "${GESTA_KAFKA_BROKERS:-}" ]; then
        external "$verb"
        return
    fi
    case $verb in
    install) install ;;
    sweep) sweep "${2:?sweep needs a folder, such as test}" ;;
    kill | freeze | thaw)
        select_instance "${2:?$verb needs an instance and a node}"
        "$verb"_node "${3:?$verb needs a node, such as 1}"
        ;;
    *)
        select_instance "${2:-}"
        "$verb" "${2:-}"
        ;;
    esac
}

main "$@"
