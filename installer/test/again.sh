#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/test/again.sh FOLDER: makes all packages twice from this commit, in folders of different names, the second time without
# what Go has compiled before, and compares them byte by byte. FOLDER goes before and afterwards but for the list of what was compared.
set -euo pipefail

folder=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
sources=$PWD
epoch=$(git log -1 --format=%ct)
version=$(git describe --tags --match 'v[0-9]*' --always)
rm -rf "$folder"

# copy NAME: the sources as in the commit, with what is downloaded and not built.
copy() {
    mkdir -p "$folder/$1/bin/.stamps"
    git archive HEAD | tar --extract --directory "$folder/$1"
    ln -s "$(realpath "$sources/browserext/node_modules")" "$folder/$1/browserext/node_modules"
    ln -s "$sources/bin/sysroot" "$folder/$1/bin/sysroot"
    touch "$folder/$1/bin/.stamps"/{npm,modules}
}
build() { make -C "$folder/$1" package VERSION="$version" SOURCE_DATE_EPOCH="$epoch" PACKAGES=bin/package >&2; }

installer/linux/sysroot.sh "$sources/bin/sysroot"
copy one
build one
copy another-folder/of-another-depth
GOCACHE=$folder/cache build another-folder/of-another-depth
cp "$folder/one/bin/package/SHA256SUMS" "$folder/SHA256SUMS"
diff -r "$folder/one/bin/package" "$folder/another-folder/of-another-depth/bin/package"
echo "the same bytes:"
cat "$folder/SHA256SUMS"
rm -rf "$folder/one" "$folder/another-folder" "$folder/cache"
