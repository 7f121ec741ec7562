#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the Windows packages under wine, uses what is installed, removes it, and compares files and registry with before.
#
#   installer/windows/wine/test.sh [FOLDER [NEWER]]      packages in FOLDER (bin/package); NEWER has those of a later version
#
# KEEP=1 leaves the work folder behind. What wine cannot show is listed in installer/TESTED.md.
set -euo pipefail

packages=$(realpath "${1:-bin/package}")
newer=${2:+$(realpath "$2")}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
export WINEPREFIX=$work/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=' LC_ALL=C.UTF-8
unset DISPLAY
program='C:\Program Files\Persten\persten.exe'
drive=$WINEPREFIX/drive_c
checks=0

say() { printf 'wine: %s\n' "$*"; }
die() { printf 'wine: FAILED: %s\n' "$*" >&2; exit 1; }
ok() { checks=$((checks + 1)); say "ok   $*"; }

finish() {
    wineserver -k 2>/dev/null || true
    if [ -n "${KEEP:-}" ]; then say "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# The output of wine's programs has CR LF.
run() { timeout 120 wine "$@" | tr -d '\r'; }
agent() { run "$program" "$@"; }

# A new machine, with the library of Windows that this wine lacks; the service manager must outlive single commands.
prepare() {
    mkdir -p "$WINEPREFIX"
    timeout 300 wineboot -i >"$work/boot.log" 2>&1 || die "wineboot: $(tail -n 3 "$work/boot.log")"
    if [ ! -e "$drive/windows/system32/bcryptprimitives.dll" ]; then
        x86_64-w64-mingw32-gcc -shared -O -o "$drive/windows/system32/bcryptprimitives.dll" "$here/bcryptprimitives.c" -ladvapi32
    fi
    wineserver -w
    wineserver -p
    timeout 120 wine cmd /c ver >/dev/null # starts the services that wine starts with the first program
}

# snapshot NAME: every file, and the registry of the machine and the user.
snapshot() {
    (cd "$drive" && find . | LC_ALL=C sort) >"$work/$1.files"
    local root
    for root in HKLM HKCU; do
        run reg export $root "C:\\$1.reg" /y >/dev/null
        iconv -f UTF-16 -t UTF-8 "$drive/$1.reg" | tr -d '\r' | sed '/\\ServiceCurrent\]$/,/^$/d' >"$work/$1.$root"
        rm "$drive/$1.reg"
    done
}

# What wine itself writes while anything runs, and no program of Windows does.
noise() {
    grep -vE '^([-+]{3} |[-+]$)' "$1" | grep -E '^[-+]' | grep -vE "$(IFS='|'; printf '%s' "${wine_writes[*]}")" || true
}
wine_writes=(
    '[+]\./windows/Installer$' '[+].*Software\\(Wow6432Node\\)?Classes\\Installer(\\(Features|Products|UpgradeCodes))?\]$'
    '[+].*CurrentVersion\\Installer\\(UpgradeCodes|UserData(\\S-[0-9-]*(\\(Components|Products))?)?)\]$'
    '[+].*Software\\Microsoft\\Installer(\\(Features|Products|UpgradeCodes))?\]$'
    '-.*\\Eventlog\\Application\]$' # empty in wine, so removing the source removes it
    '[+].*\\Control\\Video\\\{' '[+]"DriverError"=' # there is no display
    '"NextLogSequence"' '[+].*/AppData/Local/persten(/|$)' # the person's journal and key stay
    '/users/[^/]*/Temp' '[+].*/AppData/Local/Programs$' '[+].*/AppData/Roaming/Microsoft/Installer$' 'wineboot'
)

same() {
    local part
    for part in files HKLM HKCU; do
        diff -u0 "$work/before.$part" "$work/$1.$part" >"$work/$1.$part.diff" || true
        noise "$work/$1.$part.diff" >"$work/$1.$part.left"
        [ ! -s "$work/$1.$part.left" ] || { cat "$work/$1.$part.left"; die "$1: something is left behind ($part)"; }
    done
    ok "$1: files and registry as before"
}

msi() {
    local code=0
    timeout 300 wine msiexec "$@" /qn /l*v 'C:\msi.log' || code=$?
    echo "$code" >"$work/msi.code"
    return "$code"
}

# refused NAME: the package does not install, because of a condition (wine logs no sentence), and leaves nothing.
refused() {
    if msi /i "Z:$machine"; then die "installed on $1"; fi
    log | grep -q 'LaunchConditions. Return value 0' || die "$1: not refused by a condition"
    ok "refused on $1"
    forget_log
    snapshot "$1"
    same "$1"
}

log() { tr -d '\0\r' <"$drive/msi.log"; }
forget_log() { rm -f "$drive/msi.log"; }

# stop_service: wine's installer does not wait for a service to stop, as Windows' does (ServiceControl.Wait).
stop_service() {
    local began=$SECONDS
    run sc stop persten >/dev/null
    until [ "$(service)" = STOPPED ]; do
        [ $((SECONDS - began)) -lt 20 ] || die "the service does not stop: $(service)"
        sleep 0.2
    done
    if run tasklist | grep persten; then die "a program of ours runs after the service stopped"; fi
    ok "service and session stopped in $((SECONDS - began)) s"
}

registry() { run reg query "$1" "${@:2}" 2>/dev/null; }

service() { run sc query persten 2>/dev/null | sed -n 's/.*STATE *: *[0-9]* *//p' | tr -d ' '; }

installed() {
    [ -e "$drive/Program Files/Persten/persten.exe" ] || die "no persten.exe"
    [ "$(service)" = RUNNING ] || die "service: $(service)"
    ok "installed, service running"
    local key browsers=0
    for key in 'Google\Chrome' Chromium 'Microsoft\Edge' 'Yandex\YandexBrowser' 'BraveSoftware\Brave-Browser' 'Opera Software\Opera Stable' Vivaldi Mozilla; do
        registry "HKLM\\Software\\$key\\NativeMessagingHosts\\persten.agent" /ve | grep -q 'C:\\Program Files\\Persten\\native\\persten.agent.*json' ||
            die "no native host for $key"
        browsers=$((browsers + 1))
    done
    ok "native host of $browsers browsers"
    registry 'HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Persten' /v EventMessageFile | grep -q EventCreate || die "no event source"
    registry 'HKLM\SYSTEM\CurrentControlSet\Services\persten' /v ImagePath | grep -q 'C:\\Program Files\\Persten\\persten.exe"* service run' ||
        die "service command: $(registry 'HKLM\SYSTEM\CurrentControlSet\Services\persten' /v ImagePath)"
    ok "event source, command of the service"
    [ "$(agent browser status --system --json | grep -c '"State": "installed"')" = "$browsers" ] || die "browser status: $(agent browser status --system)"
    ok "browser status knows them"
    [ -n "$(find "$drive" -iname 'Persten.lnk' -path '*Start Menu*')" ] || die "no entry in the Start menu"
    ok "Start menu"
}


# person_and_token: a key in a PKCS#12 file and on a token of the test module, which lies where only administrators may write.
person_and_token() {
    local dir=$drive/token
    mkdir -p "$dir" "$drive/Program Files/Test token" "$drive/users/$(id -un)/AppData/Roaming/persten"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 30 -utf8 \
        -subj '/CN=Демонстрационный Подписант' -addext keyUsage=critical,digitalSignature,nonRepudiation 2>/dev/null
    openssl pkcs8 -topk8 -nocrypt -in "$dir/key.pem" -outform DER -out "$dir/key.der"
    openssl x509 -in "$dir/cert.pem" -outform DER -out "$dir/cert.der"
    openssl pkcs12 -export -inkey "$dir/key.pem" -in "$dir/cert.pem" -passout pass:secret -out "$dir/key.p12"
    printf 'contract\n' >"$dir/contract.txt"
    x86_64-w64-mingw32-gcc -shared -O -static -o "$drive/Program Files/Test token/p11test.dll" "$here"/../../../testdata/p11/module/*.c -lbcrypt -lncrypt -lcrypt32
    printf '%s\n' 'slot 1' 'label Test token' 'serial 0001' 'pin 1234' 'mechanisms rsa digest' \
        'key C:\token\key.der id=01' 'cert C:\token\cert.der id=01' >"$dir/scenario"
    printf '[[module]]\nname = "test"\npath = %s\n[listen]\nwebsocket = "off"\n' "'C:\Program Files\Test token\p11test.dll'" \
        >"$drive/users/$(id -un)/AppData/Roaming/persten/config.toml"
    export PERSTEN_P11_CONFIG='C:\token\scenario'
}

verified() { openssl cms -verify -binary -inform DER -in "$drive/token/$1" -content "$drive/token/contract.txt" -CAfile "$drive/token/cert.pem" -purpose any -out /dev/null 2>"$work/openssl.log" || die "$1: $(cat "$work/openssl.log")"; }

# uses: what a person does, with a session that knows the token.
uses() {
    agent status | grep -q 'running' || die "status: $(agent status)"
    ok "status: $(agent status | head -n 1)"
    printf 'secret\n' | agent sign cms --key 'C:\token\key.p12' --pass-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\file.p7s' >/dev/null || die "PKCS#12"
    verified file.p7s
    ok "signed with a PKCS#12 file; OpenSSL verifies it"

    stop_service
    timeout 600 wine "$program" session --headless >"$work/session.log" 2>&1 &
    local session=$! id='' tries
    for tries in $(seq 30); do
        id=$(agent certs --json 2>/dev/null | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' | head -n 1) || true
        [ -z "$id" ] || break
        sleep 1
    done
    [ -n "$id" ] || die "certs after $tries tries: $(agent certs 2>&1; tail -n 5 "$work/session.log")"
    ok "certs: $(agent certs | head -n 1)"
    printf '1234\n' | agent sign cms --cert "$id" --pin-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\token.p7s' >/dev/null || die "PKCS#11"
    verified token.p7s
    ok "signed on the token of a PKCS#11 library; OpenSSL verifies it"
    if printf '9999\n' | agent sign cms --cert "$id" --pin-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\wrong.p7s' 2>"$work/wrong"; then die "a wrong PIN signed"; fi
    grep -q pin_incorrect "$work/wrong" || die "wrong PIN: $(cat "$work/wrong")"
    ok "a wrong PIN: $(head -n 1 "$work/wrong" | tr -d '\r')"
    kill "$session" || true
    wait "$session" || true
    run sc start persten >/dev/null
    rm -f "$drive"/token/*.p7s
}

# upgraded: a later version replaces this one, and this one does not replace it.
upgraded() {
    stop_service
    msi /i "Z:$1" || die "upgrade: $(log | tail -n 20)"
    [ "$(service)" = RUNNING ] || die "service after the upgrade: $(service)"
    [ "$(agent version)" != "$was" ] || die "upgrade: still $was"
    [ "$(registry 'HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall' /s /v DisplayName | grep -c Persten)" = 1 ] || die "two versions are listed"
    ok "upgraded from $was to $(agent version), service running"
    if msi /i "Z:$machine"; then die "an older version replaced a newer one"; fi
    [ "$(service)" = RUNNING ] || die "service after the refused downgrade: $(service)"
    ok "downgrade refused"
}

# alone: the package for one person, which has no service and touches nothing of the machine.
alone() {
    local home
    msi /i "Z:$person" || die "install for one person: $(log | tail -n 20)"
    home=$(find "$drive/users" -path '*Local/Programs/Persten/persten.exe')
    [ -n "$home" ] || die "no persten.exe in the profile"
    registry 'HKCU\Software\Google\Chrome\NativeMessagingHosts\persten.agent' /ve | grep -q 'persten.agent.chromium.json' || die "no native host of the person"
    if registry 'HKLM\Software\Persten' >/dev/null || [ -n "$(service)" ]; then die "something of the machine was touched"; fi
    run "C:${home#"$drive"}" version | grep -q '^persten ' || die "it does not run"
    ok "installed for one person, without service"
    if msi /i "Z:$machine"; then die "two copies"; fi
    ok "the machine's package sees the person's copy"
    msi /x "Z:$person" || die "removal for one person"
}

package() { find "$1" -name "persten-*-x64$2.msi" | head -n 1; }

main() {
    local machine person was
    machine=$(package "$packages" '')
    person=$(package "$packages" -user)
    [ -n "$machine$person" ] || die "no packages in $packages: make package-windows"
    prepare
    person_and_token
    say "$(wine --version), $(basename "$machine")"
    run winecfg -v win7
    snapshot before
    refused win7
    run winecfg -v win10
    snapshot before
    alone
    forget_log
    snapshot person
    same person

    msi /i "Z:$machine" || die "install: $(log | tail -n 20)"
    installed
    was=$(agent version)
    ok "$was"
    if msi /i "Z:$person"; then die "a person's copy beside the machine's"; fi
    ok "the person's package sees the machine's copy"
    uses
    if [ -n "$newer" ]; then
        upgraded "$(package "$newer" '')"
        machine=$(package "$newer" '')
    fi
    stop_service
    msi /x "Z:$machine" || die "removal: $(log | tail -n 20)"
    forget_log
    snapshot machine
    same machine
    say "$checks checks passed"
}

main
