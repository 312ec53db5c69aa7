#!/usr/bin/env bash
# Installs the public readers that the tests of the public topics drive, into .local/consumers of this checkout: a Kafka
# client and the CloudEvents SDK for Python, the CloudEvents SDK for JavaScript, AsyncAPI's own schema. Idempotent.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
TARGET=$ROOT/.local/consumers

for program in node npm python3 kcat; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "error: $program is missing; the tests of the public topics read them with it: apt install nodejs npm python3-pip kcat (Debian), brew install node python kcat (macOS)" >&2
        exit 1
    }
done

# installed LIST: whether what this list names was installed whole.
installed() { cmp -s "$HERE/$1" "$TARGET/installed-$(basename "$1")"; }

# done_with LIST: written last, so that an installation that broke off is made again.
done_with() { cp "$HERE/$1" "$TARGET/installed-$(basename "$1")"; }

mkdir -p "$TARGET/node"
installed node/package-lock.json || {
    cp "$HERE/node/package.json" "$HERE/node/package-lock.json" "$HERE/node/.npmrc" "$TARGET/node/"
    (cd "$TARGET/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    done_with node/package-lock.json
}
installed python/requirements.txt || {
    rm -rf "$TARGET/python"
    python3 -m pip install --quiet --no-deps --only-binary=:all: --require-hashes --target "$TARGET/python" \
        --requirement "$HERE/python/requirements.txt" >&2
    done_with python/requirements.txt
}
