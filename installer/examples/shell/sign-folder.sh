#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Signs each file of a folder that has no signature yet: sign-folder.sh CERTIFICATE FOLDER
# Signatures (FILE.sig) lie beside the documents. One refusal of the person ends it (exit code 3), other failures are counted.
set -euo pipefail

[ $# = 2 ] || { echo "usage: sign-folder.sh CERTIFICATE FOLDER" >&2; exit 2; }
failed=0
for file in "$2"/*; do
    case $file in *.sig) continue ;; esac
    if [ ! -f "$file" ] || [ -e "$file.sig" ]; then continue; fi
    status=0
    persten sign cms --cert "$1" --in "$file" --out "$file.sig" || status=$?
    case $status in
    0) ;;
    3) exit 3 ;;
    *) failed=$((failed + 1)) ;;
    esac
done
if [ $failed != 0 ]; then echo "$failed files are not signed" >&2; exit 1; fi
