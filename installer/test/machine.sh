#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# installer/test/machine.sh FOLDER PACKAGES: makes a Debian 12 with systemd in FOLDER: a browser, a software token, and what the
# packages in PACKAGES say they need, but not the packages themselves. Needs root.
set -euo pipefail

machine=$1
packages=$2
rm -rf "$machine"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,libnss-systemd,ca-certificates bookworm "$machine"

inside() { chroot "$machine" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends "$@"; }
inside update
inside install softhsm2 opensc openssl chromium libnss3-tools pcscd procps
for package in "$packages"/persten_*.deb "$packages"/persten-desktop_*.deb; do
    inside satisfy "$(dpkg-deb --field "$package" Depends | sed 's/persten ([^)]*), //')"
done
chroot "$machine" apt-get clean
touch "$machine/.complete"
