# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A new machine under wine with a token on it, for the scripts that use the Windows programs; they source this file.
#
#   program=C:\...\persten.exe    what agent runs; set it first
#
# KEEP=1 leaves the work folder behind.
set -euo pipefail
program=${program:?}
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d)
export WINEPREFIX=$work/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=' LC_ALL=C.UTF-8
unset DISPLAY
drive=$WINEPREFIX/drive_c
home=$drive/users/$(id -un)
token=$drive/token
pin=12345678
background=()
checks=0

say() { printf 'wine: %s\n' "$*"; }
die() { printf 'wine: FAILED: %s\n' "$*" >&2; exit 1; }
ok() { checks=$((checks + 1)); say "ok   $*"; }

finish() {
    wineserver -k 2>/dev/null || true
    local pid
    for pid in "${background[@]}"; do kill "$pid" 2>/dev/null || true; done
    if [ -n "${KEEP:-}" ]; then say "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# run runs a program, agent ours; output has CR LF. What the program leaves running does not hold our pipe.
run() {
    local code=0
    timeout "${patience:-120}" wine "$@" >"$work/out" || code=$?
    heard "$code"
}
agent() {
    local code=0
    timeout "${patience:-120}" wine "$program" "$@" >"$work/out" 2>&1 || code=$?
    heard "$code"
}
heard() {
    tr -d '\r' <"$work/out"
    return "$1"
}

# boot makes the machine, with the library of Windows that this wine lacks; its service manager must outlive single commands.
boot() {
    mkdir -p "$WINEPREFIX"
    timeout 300 wineboot -i >"$work/boot.log" 2>&1 || die "wineboot: $(tail -n 3 "$work/boot.log")"
    if [ ! -e "$drive/windows/system32/bcryptprimitives.dll" ]; then
        x86_64-w64-mingw32-gcc -shared -O -o "$drive/windows/system32/bcryptprimitives.dll" "$scripts/bcryptprimitives.c" -ladvapi32
    fi
    wineserver -w
    wineserver -p
    timeout 120 wine cmd /c ver >/dev/null # starts the services that wine starts with the first program
    ours # the first time writes the debugger's settings
    say "$(wine --version 2>/dev/null)"
}

# plug makes a person's key, in a PKCS#12 file with the password "secret" and on a token. The token's library lies where only
# administrators may write.
plug() {
    local library='Program Files/Test token/p11test.dll'
    mkdir -p "$token" "$(dirname "$drive/$library")" "$home/AppData/Roaming/persten"
    x86_64-w64-mingw32-gcc -shared -O -static -o "$drive/$library" "$scripts"/../p11/module/*.c -lbcrypt -lncrypt -lcrypt32
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$token/key.pem" -out "$token/cert.pem" -days 30 -utf8 \
        -subj '/CN=Демонстрационный Подписант' -addext keyUsage=critical,digitalSignature,nonRepudiation 2>/dev/null
    openssl pkcs8 -topk8 -nocrypt -in "$token/key.pem" -outform DER -out "$token/key.der"
    openssl x509 -in "$token/cert.pem" -outform DER -out "$token/cert.der"
    openssl pkcs12 -export -inkey "$token/key.pem" -in "$token/cert.pem" -passout pass:secret -out "$token/key.p12"
    # shellcheck disable=SC2034 # for who sources this
    certificate=$(sha256sum "$token/cert.der" | cut -c1-64)
    printf 'contract\n' >"$token/contract.txt"
    printf '%s\n' 'slot 1' 'label Test token' 'serial 0001' "pin $pin" 'tries C:\token\tries' 'mechanisms rsa' \
        'key C:\token\key.der id=01' 'cert C:\token\cert.der id=01' >"$token/scenario"
    printf "[[module]]\nname = 'test'\npath = 'C:\\\\%s'\n[listen]\nwebsocket = 'off'\n" "${library//\//\\}" >"$home/AppData/Roaming/persten/config.toml"
    export PERSTEN_P11_CONFIG='C:\token\scenario'
}

# verified NAME [CA]: OpenSSL accepts the signature of the contract.
verified() {
    openssl cms -verify -binary -inform DER -in "$token/$1" -content "$token/contract.txt" -CAfile "${2:-$token/cert.pem}" -purpose any -out /dev/null \
        2>"$work/openssl.log" || die "OpenSSL does not verify $1: $(cat "$work/openssl.log")"
}

# running yes|no waits for a session, or for one that is over.
running() {
    local tries patience=10
    for tries in $(seq 60); do
        if agent status >/dev/null; then [ "$1" = yes ] && return; else [ "$1" = no ] && return; fi
        sleep 0.5
    done
    die "session running: not $1 after $tries tries: $(agent status || true)"
}

# ours lists the processes of our programs, as "number (hexadecimal) name". The tasklist of wine 8 is empty.
ours() { timeout 60 wine winedbg --command 'info proc' 2>/dev/null | tr -d '\r' | sed -n "s/^[^0-9a-f]*\([0-9a-f]*\) .*'\(persten[a-z-]*\.exe\)'.*/\1 \2/p"; }

# again ends all that runs under wine, and wine.
again() {
    wineserver -k || true
    wineserver -w
    wineserver -p
}
