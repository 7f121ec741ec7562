#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs every fuzz target of the module, one after another (go test fuzzes one at a time).
#
#   testdata/scripts/fuzz.sh [TIME]      for each target, default 30s
set -euo pipefail

cd "$(dirname "$0")/../.."
time=${1:-30s}
failed=0 count=0

while IFS=: read -r file name; do
    count=$((count + 1))
    echo "fuzz: ${file%/*} $name $time"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "./${file%/*}" || failed=$((failed + 1))
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' agent internal proto | sed 's/func //' | sort -u)

echo "fuzz: $count targets, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" = 0 ]
