#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/linux/sysroot.sh FOLDER: unpacks the C libraries of Debian 11 and their headers into FOLDER, to link against, so that
# what is built here runs where the C library is as old as 2.28. Needs no root: nothing of it is installed or run. The mirror is
# the one this machine uses, or DEBIAN_MIRROR.
set -euo pipefail

readonly release=bullseye keyring=/usr/share/keyrings/debian-archive-keyring.gpg
here=$(cd "$(dirname "$0")" && pwd)
sysroot=${1:?usage: sysroot.sh FOLDER}
stamp=$sysroot/.complete
if [ -e "$stamp" ]; then exit; fi

say() { printf 'sysroot: %s\n' "$*" >&2; }

# libraries are the -dev packages of the build, without compiler and tools.
libraries() { "$here/../deps.sh" --list build | grep -E '^lib.*-dev$'; echo libc6-dev; }

mirror() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then echo "$DEBIAN_MIRROR"; return; fi
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }'
}

# apt works in a folder of its own, as if nothing were installed.
apt() {
    apt-get -qq -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 \
        -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false "$@"
}

# relink turns absolute links, which would leave the folder, into relative ones.
relink() {
    local link to
    while IFS= read -r -d '' link; do
        to=$(readlink "$link")
        ln -snf "$(realpath -m --relative-to="$(dirname "$link")" "$sysroot$to")" "$link"
    done < <(find "$sysroot" -type l -lname '/*' -print0)
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial
: >"$work/status"
from=$(mirror)
if [ -z "$from" ]; then say "no Debian mirror is known here: set DEBIAN_MIRROR"; exit 1; fi
echo "deb [signed-by=$keyring] $from $release main" >"$work/sources.list"

say "downloading the C libraries of Debian 11 for the packages"
apt update
mapfile -t names < <(libraries)
apt install --yes --download-only --no-install-recommends "${names[@]}"
rm -rf "$sysroot"
mkdir -p "$sysroot"
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$sysroot"; done
find "$sysroot/usr/share" -mindepth 1 -maxdepth 1 -not -name pkgconfig -exec rm -rf {} +
relink
touch "$stamp"
