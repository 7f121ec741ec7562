#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# After removal. Journals in people's homes are theirs and stay. What the machine has (policy, the server's state) goes with
# `apt purge`; rpm knows no such step, ADMIN.md has the command.
set -e

case "$1" in remove | purge | 0) ;; *) exit 0 ;; esac

mkdir -p /etc/opt # every system has it, but dpkg takes an empty one that no package names along
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
rmdir /run/persten 2>/dev/null || true # of the socket
if [ "$1" = purge ]; then
    rm -rf /etc/persten /var/lib/private/persten-server /var/lib/persten-server
fi
