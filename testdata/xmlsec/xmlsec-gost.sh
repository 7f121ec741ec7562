#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds xmlsec1 1.2.37 with GOST R 34.10-2001 and 34.10-2012: the packaged one has no GOST. The result is the independent
# verifier of the XML signature tests and their second signer; nothing of it is installed or shipped.
#
#   testdata/xmlsec/xmlsec-gost.sh           build unless cached, print the path of the program
#   testdata/xmlsec/xmlsec-gost.sh --path    print the path if it is cached, else fail; builds nothing
#
# The program printed is a script that starts xmlsec1 with an OPENSSL_CONF of its own, which loads OpenSSL's GOST engine.
# Needs a C compiler, make, pkg-config, libxml2-dev, libssl-dev and libengine-gost-openssl. The source is Debian's, by its
# SHA-256, or XMLSEC_SOURCE, the same archive. One minute on two cores.
set -euo pipefail

version=1.2.37
sum=a75ba7aa698ebb6e1a7ed914896de27888c4f5cdf549cc0856e31585b4110c3c
name=xmlsec1_$version.orig.tar.gz
urls=("http://deb.debian.org/debian/pool/main/x/xmlsec1/$name"
    "http://snapshot.debian.org/archive/debian/20230701T000000Z/pool/main/x/xmlsec1/$name")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/persten/xmlsec1-gost-$version
program=$cache/xmlsec1

say() { printf 'xmlsec-gost: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

case ${1:-} in
'') ;;
--path) [ -x "$program" ] || exit 1; echo "$program"; exit ;;
*) say "usage: $0 [--path]"; exit 2 ;;
esac
if [ -x "$program" ]; then echo "$program"; exit; fi

for tool in cc make pkg-config openssl; do
    command -v $tool >/dev/null || die "$tool is missing: installer/deps.sh build test"
done
for library in libxml-2.0 libcrypto; do
    pkg-config --exists $library || die "$library is missing: apt-get install libxml2-dev libssl-dev"
done
engine=$(openssl version -e | sed -n 's/^ENGINESDIR: "\(.*\)"$/\1/p')/gost.so
[ -e "$engine" ] || die "$engine is missing: apt-get install libengine-gost-openssl"

mkdir -p "$(dirname "$cache")"
# Two test binaries may come here at once: the second waits and finds the work done.
exec 9> "$cache.lock"
flock 9
if [ -x "$program" ]; then echo "$program"; exit; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Downloads through apt, which knows the machine's proxy, and keeps the file only if its sum is right.
apt=(-o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=20)
download() {
    local url
    for url in "${urls[@]}"; do
        if /usr/lib/apt/apt-helper "${apt[@]}" download-file "$url" "$work/$name" "SHA256:$sum" >&2; then return; fi
    done
    return 1
}

archive=${XMLSEC_SOURCE:-}
if [ -z "$archive" ]; then
    say "getting the source of xmlsec1 $version"
    download || die "no source of xmlsec1: no network? give XMLSEC_SOURCE=$name"
    archive=$work/$name
fi
echo "$sum  $archive" | sha256sum --check --status || die "$archive is not $name"
tar -xzf "$archive" -C "$work"
tree=$(find "$work" -mindepth 1 -maxdepth 1 -type d -name 'xmlsec1-*' | head -n 1)
[ -n "$tree" ] || die "no xmlsec1 in $archive"

say "building xmlsec1 $version with GOST, log in $cache.log"
if ! (
    cd "$tree"
    ./configure --disable-shared --enable-static --with-openssl --without-nss --without-gnutls --without-gcrypt --without-libxslt \
        --enable-gost --enable-gost2012 --disable-crypto-dl --disable-apps-crypto-dl --enable-openssl3-engines --disable-docs
    make -j"$(nproc)" -C src
    make -j"$(nproc)" -C apps
) > "$cache.log" 2>&1; then
    tail -n 20 "$cache.log" >&2
    die "the build failed"
fi

mkdir -p "$cache"
cp "$tree/apps/xmlsec1" "$cache/xmlsec1.bin"
cat > "$cache/openssl.cnf" <<END
openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
dynamic_path = $engine
default_algorithms = ALL
END
cat > "$program.new" <<END
#!/bin/sh
OPENSSL_CONF='$cache/openssl.cnf' exec '$cache/xmlsec1.bin' "\$@"
END
chmod +x "$program.new"
"$program.new" --list-transforms 2>/dev/null | grep -q gostr34102012-gostr34112012-512 || die "it was built without GOST: $cache.log"
mv "$program.new" "$program"
echo "$program"
