#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run as root in the machine: gives the server's session a token, a rule of policy and the PIN as a credential of systemd, and starts it.
# Prints the certificate's id.
set -e
state=/var/lib/private/persten-server
as_persten() {
    systemd-run --quiet --pipe --wait --collect -p DynamicUser=yes -p User=persten -p StateDirectory=persten-server \
        -p StateDirectoryMode=0700 -p UMask=0077 -p Environment=SOFTHSM2_CONF=$state/softhsm2.conf "$@"
}
# shellcheck disable=SC2016 # for the shell inside
as_persten sh -ec '
cd '$state'
mkdir tokens
printf "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n" "$PWD" >softhsm2.conf
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out ca.pem -days 30 -subj "/CN=Persten test server" -addext keyUsage=critical,digitalSignature,nonRepudiation 2>/dev/null
openssl x509 -in ca.pem -outform DER -out leaf.der
openssl pkcs8 -topk8 -nocrypt -in key -out key.p8
softhsm2-util --init-token --free --label server --pin 24117356 --so-pin 87654321 >/dev/null
softhsm2-util --import key.p8 --token server --label leaf --id a1 --pin 24117356 >/dev/null
pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label server --login --pin 24117356 --write-object leaf.der --type cert --id a1 --label leaf >/dev/null 2>&1
rm key key.p8
'
id=$(sha256sum $state/leaf.der | cut -c 1-64)
cat >/etc/persten/policy.toml <<END
[[unattended]]
user = "persten"
certificate = "$id"
per_hour = 100
pin_file = "%d/pin"
END
(umask 277 && printf 24117356 >/etc/persten/pin)
cat >/etc/persten/config.toml <<END
[[module]]
name = "softhsm"
path = "/usr/lib/softhsm/libsofthsm2.so"
[[module]]
name = "opensc"
path = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
END
mkdir -p /etc/systemd/system/persten-server.service.d
cat >/etc/systemd/system/persten-server.service.d/token.conf <<END
[Service]
LoadCredential=pin:/etc/persten/pin
Environment=SOFTHSM2_CONF=$state/softhsm2.conf
END
systemctl daemon-reload
systemctl stop pcscd.service 2>/dev/null # a session that uses readers starts it, by its socket
systemctl start pcscd.socket persten-server.service
echo "$id"
