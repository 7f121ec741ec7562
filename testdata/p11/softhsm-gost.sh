#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds SoftHSM2 2.6.1 with GOST against the Botan library of the distribution: the packaged one has no GOST. The result
# is a second, independent GOST token for the tests; nothing of it is installed or shipped.
#
#   testdata/p11/softhsm-gost.sh           build unless cached, print the path of the library
#   testdata/p11/softhsm-gost.sh --path    print the path if it is cached, else fail; builds nothing
#
# Needs libbotan-2-dev, automake, libtool, pkg-config and a C++ compiler. The source comes from apt (a deb-src line of its
# own, the system's lists are left alone), or from SOFTHSM_SOURCE, a softhsm2_2.6.1.orig.tar.gz. Three minutes on two cores.
set -euo pipefail

version=2.6.1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/persten/softhsm-gost-$version
library=$cache/libsofthsm2.so

say() { printf 'softhsm-gost: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

case ${1:-} in
'') ;;
--path) [ -e "$library" ] || exit 1; echo "$library"; exit ;;
*) say "usage: $0 [--path]"; exit 2 ;;
esac
if [ -e "$library" ]; then echo "$library"; exit; fi

for tool in automake libtoolize pkg-config c++ make; do
    command -v $tool >/dev/null || die "$tool is missing: apt-get install libbotan-2-dev automake libtool pkg-config g++ make"
done
pkg-config --exists botan-2 || die "Botan 2 is missing: apt-get install libbotan-2-dev"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Gets the source package through apt, with lists and a source line that exist only in the work folder.
source_from_apt() {
    local codename mirror
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
    mirror=$(apt-cache policy softhsm2 | sed -n 's/^ *[0-9]* \(https\?:[^ ]*\) .*/\1/p' | head -n 1)
    [ -n "$codename" ] && [ -n "$mirror" ] || return 1
    mkdir -p "$work/lists/partial"
    local component=main
    # shellcheck source=/dev/null
    if [ "$(. /etc/os-release; echo "$ID")" = ubuntu ]; then component='main universe'; fi
    echo "deb-src $mirror $codename $component" > "$work/sources.list"
    local options=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$work/lists"
        -o "Dir::Cache::pkgcache=$work/pkg.bin" -o "Dir::Cache::srcpkgcache=$work/src.bin" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" -qq update >&2
    # Only the upstream archive is needed; the packaging part may be gone from the mirror.
    (cd "$work" && apt-get "${options[@]}" -qq source --download-only --tar-only softhsm2 >&2)
}

archive=${SOFTHSM_SOURCE:-}
if [ -z "$archive" ]; then
    say "getting the source of SoftHSM $version"
    source_from_apt || die "apt has no source of softhsm2; give SOFTHSM_SOURCE=softhsm2_$version.orig.tar.gz"
    archive=$(find "$work" -maxdepth 1 -name "softhsm2_$version*.orig.tar.gz" | head -n 1)
    [ -n "$archive" ] || die "apt gave another version than $version"
fi
tar -xzf "$archive" -C "$work"
tree=$(find "$work" -mindepth 1 -maxdepth 1 -type d -iname 'softhsm*' | head -n 1)
[ -n "$tree" ] || die "no SoftHSM in $archive"

say "building SoftHSM $version with GOST, log in $cache.log"
mkdir -p "$(dirname "$cache")"
if ! (
    cd "$tree"
    [ -x configure ] || sh autogen.sh
    ./configure --disable-non-paged-memory --enable-gost --with-crypto-backend=botan --with-botan=/usr --enable-ecc --enable-eddsa
    make -j"$(nproc)" -C src/lib
) > "$cache.log" 2>&1; then
    tail -n 20 "$cache.log" >&2
    die "the build failed"
fi
mkdir -p "$cache"
cp "$tree/src/lib/.libs/libsofthsm2.so" "$library.new"
mv "$library.new" "$library"
echo "$library"
