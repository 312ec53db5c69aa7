# shellcheck shell=bash disable=SC2034
# What the scripts of this folder share. Sourced, never run. Works with bash 3.2, which macOS ships.

set -euo pipefail
unset CDPATH # would send cd elsewhere

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
LOCAL=$ROOT/.local
HERE=$ROOT/infra/local

# rustup's own installer puts cargo here, but only new shells have it in PATH.
command -v cargo >/dev/null 2>&1 || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# step NUMBER TOTAL TEXT: one numbered line of progress.
step() { say "[$1/$2] $3"; }

# target_folder: where cargo builds, wherever the user's settings put it.
target_folder() {
    cargo metadata --no-deps --offline --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

is_root() { [ "$(id -u)" = 0 ]; }

# command_line PID: how a process was called; nothing when it has ended, also when nobody has reaped it yet.
command_line() {
    if [ -r "/proc/$1/cmdline" ]; then
        tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || true
    else
        ps -p "$1" -o args= 2>/dev/null || true
    fi
}

# alive PID: whether a process with this id runs, whoever owns it.
alive() { [ -n "$(command_line "$1")" ]; }

# runs_as PID TEXT: whether PID lives and its command line contains TEXT. Guards against ids that were given out anew.
runs_as() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    case $(command_line "$1") in *"$2"*) return 0 ;; *) return 1 ;; esac
}

# await_end SECONDS PID TEXT: waits until that process has ended; fails when it has not by then.
await_end() {
    local tries=$(($1 * 20))
    while runs_as "$2" "$3"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# take_lock FILE: one holder at a time; a lock whose holder died is taken over. Released when the script exits.
LOCKS_HELD=()
LOCK_WAIT_SECONDS=300
take_lock() {
    local holder waited=$SECONDS
    until ln -s "$$" "$1" 2>/dev/null; do
        holder=$(readlink "$1" 2>/dev/null || true)
        if [ -n "$holder" ] && ! alive "$holder"; then
            rm -f "$1"
        elif [ $((SECONDS - waited)) -ge "$LOCK_WAIT_SECONDS" ]; then
            die "process ${holder:-?} has held $1 for $LOCK_WAIT_SECONDS s; end it, or remove that file if it is another program"
        elif [ ! -w "$(dirname "$1")" ]; then
            die "cannot write $(dirname "$1"); it belongs to another user, change its owner or remove it"
        else
            sleep 0.1
        fi
    done
    LOCKS_HELD+=("$1")
    trap 'rm -f "${LOCKS_HELD[@]}"' EXIT
}

# release_lock FILE
release_lock() { rm -f "$1"; }

# stop_group PID SECONDS: ends the process group that PID leads (we started it); by force when it takes longer.
# Silent, because bash would report the end of a job that was asked to end.
stop_group() {
    local tries=$(($2 * 20))
    kill -TERM -- "-$1" || return 0
    while kill -0 -- "-$1"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            kill -KILL -- "-$1" || true
            break
        fi
        sleep 0.05
    done
    wait "$1" || true
} 2>/dev/null
