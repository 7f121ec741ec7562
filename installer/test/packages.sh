#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/test/packages.sh FOLDER URL: what is installed in the machine of the test, in FOLDER/now and FOLDER/next (a later version).
# A policy can force an extension on a browser only with the key that its id is made of, and the publisher's is not here. So they
# are made as somebody with a key of their own makes them (browserext/own-key.mjs), of a copy of these sources. URL is where the
# extension's packages will lie. FOLDER/now/visitor is the test program of ./agent, which plays a browser.
set -euo pipefail

folder=$(realpath -m "$1")
url=$2
cd "$(dirname "$0")/../.."
sources=$PWD
version=$(node -p "require('./browserext/package.json').version")
rm -rf "$folder"
mkdir -p "$folder/tree/bin" "$folder/now" "$folder/next"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -P -t "$folder/tree"
ln -s "$(realpath "$sources/browserext/node_modules")" "$folder/tree/browserext/node_modules"
mkdir -p bin/sysroot && ln -s "$sources/bin/sysroot" "$folder/tree/bin/sysroot"

cd "$folder/tree"
openssl genrsa -out "$folder/key.pem" 2048 2>/dev/null
node browserext/own-key.mjs "$folder/key.pem" >/dev/null
(cd browserext && node build.mjs)
export SOURCE_DATE_EPOCH=1700000000
PACKAGE_VERSION=$version installer/linux/package.sh "$folder/now"
node browserext/pack.mjs --out "$folder/now" --url "$url" --key "$folder/key.pem"
CGO_ENABLED=1 go test -c -o "$folder/now/visitor" ./agent
PACKAGE_VERSION=$version.1 installer/linux/package.sh "$folder/next"
