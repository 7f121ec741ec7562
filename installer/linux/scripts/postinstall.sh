#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# After installation and upgrade, of .deb ("configure" and the old version) and .rpm (how many there are). A session that runs is
# left alone: it finishes what it has under way and then gives way to the new program by itself.
set -e

first() { case "$1:$2" in configure: | 1:) ;; *) false ;; esac; }

if command -v systemctl >/dev/null; then
    if first "$@"; then
        systemctl --global preset persten.socket >/dev/null 2>&1 || true
        systemctl preset persten-server.service persten-port.service persten-port.socket >/dev/null 2>&1 || true
    fi
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        /usr/lib/persten/for-users systemctl --user daemon-reload || true
        if first "$@"; then
            # A session of an earlier installation may have the port, until it ends.
            if systemctl is-enabled --quiet persten-port.socket; then systemctl start persten-port.socket || true; fi
            /usr/lib/persten/for-users systemctl --user start persten.socket || true
        else
            systemctl try-restart persten-port.service || true # the socket stays, and connections are the sessions'
        fi
    fi
fi
