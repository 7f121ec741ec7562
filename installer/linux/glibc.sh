#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/linux/glibc.sh VERSION FILE...: fails when a program needs a newer C library than VERSION, and says which symbols do.
set -euo pipefail

oldest=$1
shift
status=0
for file in "$@"; do
    needs=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    needs=${needs#GLIBC_}
    if [ -z "$needs" ]; then echo "$file names no version of the C library: not a program for it" >&2; exit 1; fi
    echo "$file needs glibc $needs"
    if [ "$(printf '%s\n%s\n' "$needs" "$oldest" | sort -V | tail -n 1)" != "$oldest" ]; then
        objdump -T "$file" | grep -F "GLIBC_$needs" >&2
        status=1
    fi
done
exit "$status"
