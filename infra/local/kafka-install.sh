# shellcheck shell=bash
# How the programs of the private Kafka get to .local, and how one broker of it is set up. Sourced by kafka.sh.

KAFKA_VERSION=4.2.1
MAVEN_COPY=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
KAFKA_LIBS=$LOCAL/kafka/$KAFKA_VERSION
MINIMUM_JAVA=17

# java_program: the JVM that runs the brokers.
java_program() {
    local java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    command -v "$java" >/dev/null 2>&1 ||
        die "java is missing: it runs Kafka; see infra/local/prerequisites.sh test, or set GESTA_KAFKA_BROKERS"
    printf '%s\n' "$java"
}

# The checksums were made on Linux; macOS has another program for them.
check_jars() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum --quiet --check "$HERE/kafka-jars.sha256"
    else
        shasum --quiet -a 256 -c "$HERE/kafka-jars.sha256"
    fi
}

# fetch FOLDER: every file, through Maven and whatever mirror it is set up to use.
fetch() {
    local output
    command -v mvn >/dev/null 2>&1 ||
        die "mvn is missing: it fetches Kafka; see infra/local/prerequisites.sh test, or set GESTA_KAFKA_BROKERS"
    # A repository of its own: nothing outside the checkout is written.
    output=$(mvn -q -B -f "$HERE/kafka-pom.xml" --strict-checksums "-Dmaven.repo.local=$1/repository" "$MAVEN_COPY" \
        "-DoutputDirectory=$1/libs" -DincludeScope=runtime 2>&1 </dev/null) ||
        die "Maven could not fetch Kafka ($(printf '%s' "$output" | grep -m 1 ERROR)); check the network and Maven's mirror, or set GESTA_KAFKA_BROKERS"
    (cd "$1/libs" && check_jars >&2) ||
        die "what Maven fetched is not what infra/local/kafka-jars.sha256 names; check its mirror"
}

# Idempotent: the folder appears under its final name only when it is whole.
install() {
    local fresh=$LOCAL/kafka/fetched.new version
    [ ! -d "$KAFKA_LIBS" ] || return 0
    mkdir -p "$LOCAL/kafka" || die "cannot write $LOCAL; it belongs to another user, change its owner or remove it"
    take_lock "$LOCAL/kafka/install.lock"
    if [ ! -d "$KAFKA_LIBS" ]; then
        version=$("$(java_program)" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
        [ "${version:-0}" -ge "$MINIMUM_JAVA" ] ||
            die "Java $MINIMUM_JAVA or newer is needed for Kafka; here is ${version:-none}; see infra/local/prerequisites.sh test"
        say "fetching Kafka $KAFKA_VERSION (54 MB, about 30 s)"
        rm -rf "$fresh"
        mkdir -p "$fresh/libs"
        fetch "$fresh"
        mv "$fresh/libs" "$KAFKA_LIBS"
        rm -rf "$fresh"
    fi
    release_lock "$LOCAL/kafka/install.lock"
}

# run_java HEAP FLAGS-AND-CLASS ARGUMENTS…: in place of this shell. The class path stays quoted: the JVM expands the star.
run_java() {
    local heap=$1 java
    shift
    java=$(java_program)
    exec "$java" "-Xmx$heap" "-Xms$heap" -XX:+UseG1GC "-Dlog4j2.configurationFile=$HERE/kafka-log4j2.properties" \
        -cp "$KAFKA_LIBS/*" "$@"
}

# detours_of NODE NODES: the proxies in front of this node.
detours_of() {
    if [ "$2" = 1 ]; then
        printf '%s\n' "${GESTA_KAFKA_DETOURS:-}"
    else
        printf '%s\n' "${GESTA_KAFKA_DETOURS:-}" | cut -s -d ' ' -f "$1"
    fi
}

# write_properties FOLDER NODE VOTERS COPIES: how one broker of COPIES is set up on the ports of its folder.
write_properties() {
    local port controller detour number=0 listeners advertised map
    port=$(sed -n 1p "$1/ports")
    controller=$(sed -n 2p "$1/ports")
    listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
    advertised=PLAINTEXT://127.0.0.1:$port
    map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
    for detour in $(detours_of "$2" "$4"); do
        number=$((number + 1))
        listeners=$listeners,DETOUR$number://127.0.0.1:$(sed -n "$((number + 2))p" "$1/ports")
        advertised=$advertised,DETOUR$number://$detour
        map=$map,DETOUR$number:PLAINTEXT
    done
    cat >"$1/server.properties" <<EOF
process.roles=broker,controller
node.id=$2
controller.quorum.voters=$3
listeners=$listeners
advertised.listeners=$advertised
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=$map
log.dirs=$1/data
auto.create.topics.enable=false
unclean.leader.election.enable=false
offsets.topic.replication.factor=$4
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$4
transaction.state.log.min.isr=$((($4 + 1) / 2))
default.replication.factor=$4
min.insync.replicas=$((($4 + 1) / 2))
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
${GESTA_KAFKA_PROPERTIES:-}
EOF
}
