#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the npm packages of package-lock.json beside it, from the registry, once; when they are there it does nothing.
# They need node 20.19 or later, or 22.12 or later: an older one is told so, nothing is installed, and the test says "not run".
set -euo pipefail
cd "$(dirname "$0")"
command -v node >/dev/null || { echo 'pkijs needs node 20.19 or later; there is no node' >&2; exit 1; }
node node.mjs
stamp=node_modules/.package-lock.json
if [ ! -e "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
    npm ci --no-audit --no-fund --ignore-scripts >&2
    touch "$stamp"
fi
