#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two users of a machine with a real systemd, inside that machine, as root: the shared port from boot on, sessions in their
# sandboxed units, a service that is killed, a squatter, and removal.
#
#   two-users.sh PERSTEN VISITOR        PERSTEN in /usr/bin; VISITOR is the test program of ./agent under the name visitor
# shellcheck disable=SC2016 # what stands in single quotes is for another shell, or for perl
set -euo pipefail

persten=$1 visitor=$2
tries=${TRIES:-1000}
fails=0

say() { printf '== %s\n' "$*"; }
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "ok   $name"; else
        echo "FAIL $name"
        fails=$((fails + 1))
    fi
}
within() { # SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then return 1; fi
        sleep 0.2
    done
}
as() { # USER COMMAND...
    local user=$1 uid
    uid=$(id -u "$1")
    shift
    runuser -u "$user" -- env HOME="/home/$user" XDG_RUNTIME_DIR="/run/user/$uid" PERSTEN_PROGRAM="$persten" LANG=C.UTF-8 "$@"
}
problems() { as "$1" "$persten" status --json | grep -o '"port_[a-z_]*"' || true; }
fine() { [ -z "$(problems "$1")" ]; }
lost() { [ "$(problems "$1")" = '"port_service_lost"' ]; }
own() { # USER: every answer is of one agent, so many on each transport
    as "$1" "$visitor" "$tries" >"/tmp/visit-$1"
    [ "$(grep -o "\"websocket [^\"]*\":$tries" "/tmp/visit-$1" | wc -l)" = 1 ] && [ "$(grep -o "\"native [^\"]*\":$tries" "/tmp/visit-$1" | wc -l)" = 1 ] &&
        [ "$(grep -o '":' "/tmp/visit-$1" | wc -l)" = 2 ]
}
listing() { (find /etc /run/persten /usr /home -xdev ! -type d 2>/dev/null || true) | grep -v -e '^/etc/\(passwd\|group\|shadow\|gshadow\|sub\)' -e /.local/state | sort; }

for user in anna boris; do
    id "$user" >/dev/null 2>&1 || useradd -m -s /bin/sh "$user"
    mkdir -p "/home/$user/.config/persten"
    {
        printf '[origins]\nallow = ['
        for i in $(seq 0 11); do printf '"https://site-%d.example", ' "$i"; done
        printf ']\n'
    } >"/home/$user/.config/persten/config.toml"
    chown -R "$user:" "/home/$user/.config"
done
listing >/tmp/before

say "the shared port"
check "install" "$persten" service install --system
check "status" "$persten" service status --system
check "held by systemd" grep -q ' 0100007F:5E35 00000000:0000 0A ' /proc/net/tcp
check "exposure" bash -c 'systemd-analyze security --no-pager persten-port.service | tail -n 1; systemd-analyze security --threshold=20 persten-port.service >/dev/null'

say "sessions"
for user in anna boris; do
    systemctl start "user@$(id -u $user).service"
    check "$user: install" as $user "$persten" service install
    check "$user: start" as $user "$persten" service start
    check "$user: status" within 15 as $user "$persten" status
    check "$user: no problem with the port" within 15 fine $user
    if grep -q PrivateUsers "/home/$user/.config/systemd/user/persten.service"; then echo 'in the whole sandbox'; else echo 'NOT in the whole sandbox: no user namespaces here'; fi
done
systemctl show -p User,DynamicUser,MainPID,MemoryCurrent,TasksCurrent persten-port.service
check "the service has no capability" grep -q '^CapEff:.0000000000000000$' "/proc/$(systemctl show -P MainPID persten-port)/status"
check "and is not root" bash -c '[ "$(stat -c %u /proc/$(systemctl show -P MainPID persten-port))" != 0 ]'

say "requests"
(own anna) & one=$!
(own boris) & two=$!
check "anna's are answered by hers" wait $one
check "boris's are answered by his" wait $two
check "the agents are two" bash -c '! cmp -s /tmp/visit-anna /tmp/visit-boris'
cut -c1-120 /tmp/visit-anna

say "kill -9"
for _ in 1 2 3; do
    kill -9 "$(systemctl show -P MainPID persten-port)"
    sleep 0.1
    check "the port is held meanwhile" grep -q ' 0100007F:5E35 00000000:0000 0A ' /proc/net/tcp
    SECONDS=0
    check "anna is back" within 10 fine anna
    check "boris is back" within 10 fine boris
    echo "after $SECONDS s"
done
check "restart" "$persten" service restart --system
check "anna is back" within 10 fine anna

say "a service that does not start"
mkdir -p /run/systemd/system/persten-port.service.d
printf '[Service]\nExecStart=\nExecStart=/bin/sleep 60\n' >/run/systemd/system/persten-port.service.d/broken.conf
systemctl daemon-reload
systemctl restart persten-port.service
check "anna is told" within 15 lost anna
rm -r /run/systemd/system/persten-port.service.d
systemctl daemon-reload
systemctl restart persten-port.service
check "anna is back" within 10 fine anna

say "a session that has no number for root"
mkdir -p /home/anna/.config/systemd/user/persten.service.d
printf '[Service]\nPrivateUsers=yes\nProtectSystem=strict\nReadWritePaths=%%t/persten %%h\n' >/home/anna/.config/systemd/user/persten.service.d/users.conf
chown -R anna: /home/anna/.config/systemd
as anna systemctl --user daemon-reload
check "restart" as anna "$persten" service restart
check "anna has the port" within 15 fine anna
check "in a namespace of users" bash -c '! cmp -s /proc/$1/uid_map /proc/1/uid_map' - "$(as anna systemctl --user show -P MainPID persten)"
check "anna's are answered by hers" own anna
rm -r /home/anna/.config/systemd/user/persten.service.d
as anna systemctl --user daemon-reload

say "user units"
check "restart" as anna "$persten" service restart
check "anna is back" within 15 fine anna
check "stop" as anna "$persten" service stop
check "uninstall" as anna "$persten" service uninstall
check "boris: uninstall" as boris "$persten" service uninstall

say "a squatter"
"$persten" service stop --system
(as boris perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:24117") or die; sleep 60' || true) &
within 10 grep -q ' 0100007F:5E35 00000000:0000 0A ' /proc/net/tcp
check "start fails" bash -c "! $persten service start --system 2>/tmp/said"
cat /tmp/said
check "status says so" bash -c "! $persten service status --system | grep -q running"
"$persten" service status --system
check "an event in the journal" bash -c 'journalctl -u persten-port.socket --no-pager | grep -i "address already in use"'

say "removal"
check "uninstall" "$persten" service uninstall --system
listing >/tmp/after
check "nothing is left" diff /tmp/before /tmp/after

echo "$fails failures"
[ $fails = 0 ]
