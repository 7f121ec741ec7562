#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# for-users COMMAND [ARGUMENT]...: runs a command as each person whose service manager is running or who has used Persten, with
# that person's rights and nothing of ours. The packages use it: root itself writes nothing into a home. The command gets no way to
# root's terminal, where it could type and read: a session of its own, and no output. One that does not end is killed.
people() {
    for dir in /run/user/*; do
        if [ -S "$dir/systemd/private" ]; then echo "${dir##*/}"; fi
    done
    getent passwd | while IFS=: read -r _ _ uid _ _ home _; do
        if [ -d "$home/.local/state/persten" ]; then echo "$uid"; fi
    done
}

for uid in $(people | sort -un); do
    home=$(getent passwd "$uid" | cut -d : -f 6)
    gid=$(getent passwd "$uid" | cut -d : -f 4)
    if [ -z "$gid" ]; then continue; fi
    (cd / && setsid --wait timeout --kill-after=5 30 setpriv --reuid="$uid" --regid="$gid" --init-groups --no-new-privs \
        env -i HOME="$home" XDG_RUNTIME_DIR="/run/user/$uid" PATH=/usr/bin:/bin "$@") </dev/null >/dev/null 2>&1 ||
        echo "persten: as user $uid: $* failed" >&2
done
