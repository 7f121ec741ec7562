#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Before removal (.deb "remove", .rpm 0), not before an upgrade: what its commands told browsers and systemd, of the machine and in
# people's homes, is taken back by the program itself while it is there, and everything of ours that runs is ended.
set -e

case "$1" in remove | 0) ;; *) exit 0 ;; esac

# running lists our processes, but for those of containers, which have programs of their own under the same name.
running() {
    for exe in /proc/[0-9]*/exe; do
        if [ "$(readlink "${exe%exe}ns/pid")" != "$(readlink /proc/self/ns/pid)" ]; then continue; fi
        case "$(readlink "$exe" 2>/dev/null)" in
        /usr/bin/persten | "/usr/bin/persten (deleted)")
            pid=${exe#/proc/}
            echo "${pid%/exe}"
            ;;
        esac
    done
}

/usr/lib/persten/for-users /usr/bin/persten browser uninstall >/dev/null || true
/usr/lib/persten/for-users /usr/bin/persten service uninstall >/dev/null 2>&1 || true
if command -v systemctl >/dev/null; then
    if [ -d /run/systemd/system ]; then
        if grep -qs '^ExecStart=/usr/bin/persten ' /etc/systemd/system/persten-port.service; then
            /usr/bin/persten service uninstall --system >/dev/null 2>&1 || true
        fi
        systemctl stop 'persten-*.socket' 'persten-*.service' || true
        /usr/lib/persten/for-users systemctl --user stop persten.socket persten.service || true
    fi
    systemctl disable persten-port.socket persten-port.service persten-server.service >/dev/null 2>&1 || true
    systemctl --global disable persten.socket persten.service >/dev/null 2>&1 || true
fi
for signal in TERM KILL; do
    for pid in $(running); do kill -s "$signal" "$pid" 2>/dev/null || true; done
    if [ -n "$(running)" ]; then sleep 2; fi
done
# Now that nothing of ours runs and nobody starts it: each person's key and what else sessions made for themselves. The journal stays, unless
# the policy says otherwise.
/usr/lib/persten/for-users /usr/bin/persten purge >/dev/null 2>&1 || true
