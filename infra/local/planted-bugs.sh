#!/usr/bin/env bash
# `make planted-bugs [BUGS="name …"|ci]`: plants each bug of tests/planted-bugs, one at a time, into a copy of this checkout
# and runs the tests that shall catch it. BUGS=ci takes those that continuous integration runs: a line CI: yes in their heads. Fails when a bug survives, or when a patch does not apply or compile any more.

# shellcheck source=infra/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BUGS_FOLDER=$ROOT/tests/planted-bugs
WORK=$LOCAL/planted-bugs
TREE=$WORK/tree
OUTPUT=$WORK/output.txt
# The copy must not be taken for a part of this repository: git would look for the patched files at its root.
export GIT_CEILING_DIRECTORIES=$WORK
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$WORK/target}

# copy_tree: what git knows or would take, with its times, so that cargo builds only what a patch touched.
copy_tree() {
    rm -rf "$TREE"
    mkdir -p "$TREE"
    (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf -) | tar -xf - -C "$TREE"
}

# field NAME PATCH: a line of a patch's head. Where the tests that catch a bug could fail for other reasons, a line
# Says: TEXT has what they must print.
field() { sed -n "s/^$1: *//p;/^diff /q" "$2"; }

# caught_by: the tests that failed, the first three of them.
caught_by() {
    sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$OUTPUT" | awk 'NR <= 3 { printf "%s%s", sep, $0; sep = ", " } END { if (NR > 3) printf " and %d more", NR - 3 }'
}

# need_postgres: for a bug that is planted into the running system.
need_postgres() {
    [ -z "${GESTA_POSTGRES_URL:-}" ] || return 0
    trap 'env -u GESTA_POSTGRES_URL "$HERE/postgres.sh" reset planted' EXIT
    GESTA_POSTGRES_URL=$("$HERE/postgres.sh" start planted)
    export GESTA_POSTGRES_URL
}

# try_bug PATCH: 0 when it is caught. Says what became of it.
try_bug() {
    local patch=$1 name started=$SECONDS suite says caught code=0
    name=$(basename "$patch" .patch)
    suite=$(field Suite "$patch") says=$(field Says "$patch")
    [ -n "$suite" ] || die "$patch: no line that says Suite:"
    case $suite in *"-p tests"*) need_postgres ;; esac
    if ! git -C "$TREE" apply "$patch"; then
        printf '%-34s DOES NOT APPLY\n' "$name"
        return 1
    fi
    # shellcheck disable=SC2086 # a suite is several words
    if ! (cd "$TREE" && cargo test --locked --no-run ${suite%% -- *}) >"$OUTPUT" 2>&1; then
        tail -n 30 "$OUTPUT" >&2
        printf '%-34s DOES NOT COMPILE\n' "$name"
        code=1
    else
        # shellcheck disable=SC2086
        (cd "$TREE" && cargo test --locked $suite) >"$OUTPUT" 2>&1 || true
        caught=$(caught_by)
        if [ -n "$caught" ] && grep -qF -- "$says" "$OUTPUT"; then
            printf '%-34s caught by %s (%s s)\n' "$name" "$caught" $((SECONDS - started))
        else
            tail -n 5 "$OUTPUT" >&2
            printf '%-34s SURVIVES %s\n' "$name" "$suite"
            code=1
        fi
    fi
    git -C "$TREE" apply --reverse "$patch"
    return $code
}

is_wanted() {
    case " ${BUGS:-$1} " in
    *" $1 "*) ;;
    " ci ") [ "$(field CI "$2")" = yes ] ;;
    *) return 1 ;;
    esac
}

main() {
    local patch name tried=0 survived=0
    command -v cargo >/dev/null 2>&1 || die "cargo is missing: https://rustup.rs"
    copy_tree
    for patch in "$BUGS_FOLDER"/*.patch; do
        name=$(basename "$patch" .patch)
        is_wanted "$name" "$patch" || continue
        tried=$((tried + 1))
        try_bug "$patch" || survived=$((survived + 1))
    done
    rm -rf "$TREE"
    [ "$tried" -gt 0 ] || die "no planted bug is called so: ${BUGS:-}"
    say "planted bugs: $tried, caught: $((tried - survived))"
    [ "$survived" = 0 ]
}

main
