#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Before removal, not before an upgrade: the agent is started by the first message again, and no window or icon stays.
set -e

case "$1" in remove | 0) ;; *) exit 0 ;; esac

if command -v systemctl >/dev/null; then
    systemctl --global disable persten.service >/dev/null 2>&1 || true
fi
for exe in /proc/[0-9]*/exe; do
    if [ "$(readlink "${exe%exe}ns/pid")" != "$(readlink /proc/self/ns/pid)" ]; then continue; fi # of a container
    case "$(readlink "$exe" 2>/dev/null)" in
    /usr/bin/persten-desktop | "/usr/bin/persten-desktop (deleted)")
        pid=${exe#/proc/}
        kill "${pid%/exe}" 2>/dev/null || true
        ;;
    esac
done
