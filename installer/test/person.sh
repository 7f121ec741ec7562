#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the person who logged on somebody who can sign: a token with a key and a certificate, a configuration, and a pinentry that
# says yes as soon as the file "yes" is there.
set -e
umask 077
cd
mkdir -p .config/persten .config/softhsm2/tokens work
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$HOME/.config/softhsm2/tokens" >.config/softhsm2/softhsm2.conf
export SOFTHSM2_CONF="$HOME/.config/softhsm2/softhsm2.conf"
module=/usr/lib/softhsm/libsofthsm2.so
cat >.config/persten/config.toml <<END
[[module]]
name = "softhsm"
path = "$module"
[ui]
approver = "pinentry"
pinentry = "$HOME/work/pinentry"
[origins]
allow = ["http://127.0.0.1:8080"$(for i in $(seq 0 11); do printf ', "https://site-%d.example"' "$i"; done)]
[trust]
roots = ["$HOME/work/ca.pem"]
END
cat >work/pinentry <<END
#!/bin/sh
echo 'OK ready'
while read -r command rest; do
    case "\$command" in
    CONFIRM) touch '$XDG_RUNTIME_DIR/persten/asked'; while [ ! -e '$HOME/work/yes' ]; do sleep 0.2; done ;;
    GETPIN) echo 'D 24117356' ;;
    BYE) echo OK; exit ;;
    esac
    echo OK
done
END
chmod 700 work/pinentry
cd work
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj '/CN=Persten test CA' 2>/dev/null
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n' >leaf.ext
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -utf8 -subj '/CN=Демонстрационный Подписант' 2>/dev/null
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile leaf.ext -outform DER -out leaf.der 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in leaf.key -out leaf.p8
softhsm2-util --init-token --free --label work --pin 24117356 --so-pin 87654321
softhsm2-util --import leaf.p8 --token work --label leaf --id a1 --pin 24117356
pkcs11-tool --module $module --token-label work --login --pin 24117356 --write-object leaf.der --type cert --id a1 --label leaf
