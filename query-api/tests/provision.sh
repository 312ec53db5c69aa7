#!/usr/bin/env bash
# Installs the public clients that the tests of the query API drive, into .local/node of this checkout. Idempotent.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
TARGET=$ROOT/.local/node

for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "error: $program is missing; the query API's tests need Node.js 20 or newer: apt install nodejs npm (Debian), dnf install nodejs npm (Fedora), brew install node (macOS)" >&2
        exit 1
    }
done

mkdir -p "$TARGET"
if cmp -s "$HERE/audit/package-lock.json" "$TARGET/installed-lock.json"; then
    exit 0
fi
cp "$HERE/audit/package.json" "$HERE/audit/package-lock.json" "$HERE/audit/.npmrc" "$TARGET/"
(cd "$TARGET" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
# Written last: an installation that broke off is made again.
cp "$HERE/audit/package-lock.json" "$TARGET/installed-lock.json"
