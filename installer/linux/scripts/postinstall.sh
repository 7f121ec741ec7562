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
        for unit in /usr/lib/systemd/system/persten-*.service; do systemctl preset "${unit##*/}" >/dev/null 2>&1 || true; done
    fi
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        /usr/lib/persten/for-users systemctl --user daemon-reload || true
        if first "$@"; then
            for unit in /usr/lib/systemd/system/persten-*.service; do
                if systemctl is-enabled --quiet "${unit##*/}"; then systemctl start "${unit##*/}" || true; fi
            done
            /usr/lib/persten/for-users systemctl --user start persten.socket || true
        fi
    fi
fi
