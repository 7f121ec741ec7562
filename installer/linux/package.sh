#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/linux/package.sh OUT: writes the packages for Linux, .deb and .rpm, and the list of what they are made of (SBOM) into OUT.
# make package calls it, with PACKAGE_VERSION, SOURCE_DATE_EPOCH and LINKED (what the linker sets: version, roots of updates) in the environment.
# The same sources and the same Go give the same bytes.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=1 GOOS=linux GOARCH=amd64 GOAMD64=v1

out=$(realpath -m "${1:?usage: package.sh OUT}")
cd "$(dirname "$0")/../.."
readonly stage=bin/stage sysroot=$PWD/bin/sysroot here=installer/linux

build() {
    CC="gcc --sysroot=$sysroot -B$sysroot/usr/lib/x86_64-linux-gnu/" PKG_CONFIG_SYSROOT_DIR=$sysroot \
        PKG_CONFIG_LIBDIR=$sysroot/usr/lib/x86_64-linux-gnu/pkgconfig:$sysroot/usr/share/pkgconfig \
        go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= ${LINKED:--X main.version=$PACKAGE_VERSION}" -o "$stage/usr/bin/$1" "$2"
}

put() { install -D -m "$1" "$2" "$stage/$3"; }

units() {
    local lib=usr/lib/systemd unit
    put 644 $here/persten.socket $lib/user/persten.socket
    put 644 $here/persten.service $lib/user/persten.service
    sed -i '/^# sandbox begins/,/^# sandbox ends/d' "$stage/$lib/user/persten.service"
    { echo '[Service]'; sed -n '/^# sandbox begins/,/^# sandbox ends/{/^#/d;p}' $here/persten.service; } >"$stage/sandbox.conf"
    put 644 "$stage/sandbox.conf" usr/lib/persten/sandbox.conf
    put 755 $here/generator.sh $lib/user-generators/persten
    put 755 $here/for-users.sh usr/lib/persten/for-users
    for unit in "$here"/persten-*.service "$here"/persten-*.socket; do put 644 "$unit" "$lib/system/${unit##*/}"; done
    put 644 $here/user.preset $lib/user-preset/90-persten.preset
    put 644 $here/user-desktop.preset $lib/user-preset/90-persten-desktop.preset
    put 644 $here/system.preset $lib/system-preset/90-persten.preset
}

desktop() {
    local size
    put 644 $here/persten.desktop usr/share/applications/persten.desktop
    put 644 $here/autostart.desktop etc/xdg/autostart/persten.desktop
    put 644 $here/persten.svg usr/share/icons/hicolor/scalable/apps/persten.svg
    for size in 16 32 48 128; do put 644 browserext/icons/$size.png usr/share/icons/hicolor/${size}x$size/apps/persten.png; done
}

# documents: manual pages, completions, what the browsers and the law are told.
documents() {
    local name file
    PERSTEN_MAN=$PWD/$stage/usr/share/man go test -count=1 -run '^TestManPages$' ./agent >/dev/null
    find "$stage/usr/share/man" -type f -exec gzip -9n {} +
    "$stage/usr/bin/persten" completion bash >"$stage/bash" && put 644 "$stage/bash" usr/share/bash-completion/completions/persten
    "$stage/usr/bin/persten" completion zsh >"$stage/zsh" && put 644 "$stage/zsh" usr/share/zsh/_persten
    "$stage/usr/bin/persten" completion fish >"$stage/fish" && put 644 "$stage/fish" usr/share/fish/vendor_completions.d/persten.fish
    for file in "$here"/policies/*; do put 644 "$file" "usr/share/persten/policies/${file##*/}"; done
    mkdir -p "$stage/usr/lib64" # where the systems of .rpm have Firefox look
    "$stage/usr/bin/persten" browser install --system --root "$PWD/$stage" >/dev/null
    for name in persten persten-desktop; do
        put 644 LICENSE usr/share/doc/$name/copyright
        gzip -9nc CHANGELOG.md >"$stage/changelog.gz" && put 644 "$stage/changelog.gz" usr/share/doc/$name/changelog.gz
    done
    licences ./agent >"$stage/licences" && put 644 "$stage/licences" usr/share/doc/persten/third-party
    licences ./agent/desktop >"$stage/licences" && put 644 "$stage/licences" usr/share/doc/persten-desktop/third-party
}

# licences prints those of all modules in a program.
licences() {
    local path version dir file
    printf '=== Go\n\n'
    cat "$(go env GOROOT)/LICENSE"
    go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' "$1" | sort -u | while read -r path version dir; do
        printf '=== %s %s\n\n' "$path" "$version"
        for file in "$dir"/{LICEN[CS]E,COPYING,UNLICENSE,NOTICE}*; do
            if [ -f "$file" ]; then cat "$file"; echo; fi
        done
    done
}

$here/sysroot.sh "$sysroot"
rm -rf "$stage"
mkdir -p "$stage" "$out"
build persten ./agent
build persten-desktop ./agent/desktop
$here/glibc.sh 2.28 "$stage"/usr/bin/persten "$stage"/usr/bin/persten-desktop
units
desktop
documents
for name in persten persten-desktop; do
    go run ./installer/sbom "$name" "$PACKAGE_VERSION" "$stage/usr/bin/$name" >"$stage/sbom"
    put 644 "$stage/sbom" "usr/share/doc/$name/sbom.cdx.json"
    cp "$stage/sbom" "$out/$name-$PACKAGE_VERSION.cdx.json"
done
for name in persten persten-desktop; do
    for kind in deb rpm; do go tool -modfile=installer/tools.mod nfpm package --config "$here/$name.yaml" --packager $kind --target "$out" >/dev/null; done
done
