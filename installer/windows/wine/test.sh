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
program='C:\Program Files\Persten\persten.exe'
# shellcheck source=testdata/scripts/wine-machine.sh
. "$(dirname "$0")/../../../testdata/scripts/wine-machine.sh"
state=$home/AppData/Local/persten

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
    '"NextLogSequence"' '[+].*/AppData/Local/persten(/(journal|origins)\.json.*)?$' # the person's journal and decisions stay
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
    [ -z "$(ours)" ] || die "runs after the service stopped: $(ours)"
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
    registry 'HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Persten' /v EventMessageFile | grep -q 'REG_EXPAND_SZ.*EventCreate' || die "no event source"
    registry 'HKLM\SYSTEM\CurrentControlSet\Services\persten' /v ImagePath | grep -q 'REG_EXPAND_SZ *"C:\\Program Files\\Persten\\persten.exe" service run$' ||
        die "service command: $(registry 'HKLM\SYSTEM\CurrentControlSet\Services\persten' /v ImagePath)"
    ok "event source; the service's command, in quotes"
    [ -d "$drive/ProgramData/Persten" ] || die "no folder in ProgramData"
    local imports
    imports=$(x86_64-w64-mingw32-objdump -p "$drive/Program Files/Persten"/*.exe | sed -n 's/.*DLL Name: //p' | sort -fu | paste -sd' ')
    ok "both programs import $imports"
    [ "$(agent browser status --system --json | grep -c '"State": "installed"')" = "$browsers" ] || die "browser status: $(agent browser status --system)"
    ok "browser status knows them"
    [ -n "$(find "$drive" -iname 'Persten.lnk' -path '*Start Menu*')" ] || die "no entry in the Start menu"
    ok "Start menu"
}

# signs signs with a PKCS#12 file.
signs() {
    printf 'secret\n' | agent sign cms --key 'C:\token\key.p12' --pass-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\file.p7s' >"$work/sign.log" ||
        die "PKCS#12: $(cat "$work/sign.log")"
    verified file.p7s
    ok "signed with a PKCS#12 file; OpenSSL verifies it"
    rm "$token/file.p7s"
}

# uses: what a person does, with a session that knows the token.
uses() {
    running yes
    ok "status: $(agent status | paste -sd' ')"
    signs
    stop_service
    timeout 600 wine "$program" session --headless >"$work/session.log" 2>&1 &
    local session=$! tries
    for tries in $(seq 30); do
        if agent certs | grep -q "$certificate"; then break; fi
        sleep 1
    done
    agent certs | grep -q "$certificate" || die "certs after $tries tries: $(agent certs; tail -n 5 "$work/session.log")"
    ok "certs: $(agent certs | head -n 1)"
    printf '%s\n' "$pin" | agent sign cms --cert "$certificate" --pin-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\token.p7s' >"$work/sign.log" ||
        die "PKCS#11: $(cat "$work/sign.log")"
    verified token.p7s
    ok "signed on the token of a PKCS#11 library; OpenSSL verifies it"
    if printf '9999\n' | agent sign cms --cert "$certificate" --pin-fd 0 --in 'C:\token\contract.txt' --out 'C:\token\wrong.p7s' >"$work/wrong"; then
        die "a wrong PIN signed"
    fi
    grep -q pin_incorrect "$work/wrong" || die "wrong PIN: $(cat "$work/wrong")"
    ok "a wrong PIN: $(head -n 1 "$work/wrong")"
    kill "$session" || true
    wait "$session" || true
    run sc start persten >/dev/null
    rm -f "$token"/*.p7s "$token/tries"
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

# held: a browser holds the native host, which has a session; no service knows of them.
held() {
    rm -f "$work/browser"
    mkfifo "$work/browser"
    exec 9<>"$work/browser"
    timeout 600 wine "$program" chrome-extension://ldofnahphfbbgmklgggghnhbadlgdgmj/ --parent-window=0 <&9 >/dev/null 2>&1 &
    background+=($!)
    running yes
    [ "$(ours | wc -l)" -ge 2 ] || die "no native host beside the session: $(ours)"
}

# leaves FOLDER: things that a session keeps there, beside what one has made already.
leaves() {
    mkdir -p "$1/spool"
    touch "$1/agent.key" "$1/spool/content-1" "$1/journal.jsonl"
}

# ended WHAT: nothing of ours runs after its removal.
ended() {
    [ -z "$(ours)" ] || die "$1: runs on: $(ours)"
    ok "$1: the native host and the session were ended, no restart asked for"
}

# alone: the package for one person, which has no service and touches nothing of the machine.
alone() {
    local copy program
    msi /i "Z:$person" || die "install for one person: $(log | tail -n 20)"
    copy=$(find "$drive/users" -path '*Local/Programs/Persten/persten.exe')
    [ -n "$copy" ] || die "no persten.exe in the profile"
    registry 'HKCU\Software\Google\Chrome\NativeMessagingHosts\persten.agent' /ve | grep -q 'persten.agent.chromium.json' || die "no native host of the person"
    if registry 'HKLM\Software\Persten' >/dev/null || [ -n "$(service)" ]; then die "something of the machine was touched"; fi
    program="C:${copy#"$drive"}"
    agent version | grep -q '^persten ' || die "it does not run"
    ok "installed for one person, without service"
    signs
    if msi /i "Z:$machine"; then die "two copies"; fi
    ok "the machine's package sees the person's copy"
    agent origins allow https://portal.example >/dev/null
    held
    leaves "$state"
    msi /x "Z:$person" || die "removal for one person"
    ended person
    [ "$(cd "$state" && echo *)" = "$(cd "$state" && echo journal.jsonl* origins.json*)" ] || die "left in the profile: $(ls "$state")"
    ok "person: journal and decisions stay, keys and documents do not"
}

# gone: removal of the machine's package, where policy takes journals along; a second person has a profile.
gone() {
    local second=$drive/users/second profile='HKLM\Software\Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-21-0-0-0-2000'
    run reg add "$profile" /v ProfileImagePath /t REG_EXPAND_SZ /d '%SystemDrive%\users\second' /f >/dev/null
    run reg add 'HKLM\Software\Policies\Persten\journal' /v stay /t REG_DWORD /d 0 /f >/dev/null
    stop_service
    held
    leaves "$state"
    leaves "$second/AppData/Local/persten"
    msi /x "Z:$machine" || die "removal: $(log | tail -n 20)"
    ended machine
    local left
    left=$(find "$state" "$second/AppData/Local/persten" -type f -not -name 'origins.json*' 2>/dev/null || true)
    [ -z "$left" ] || die "left: $left"
    ok "machine: keys, documents and, by policy, journals of two people went"
    rm -r "$second"
    run reg delete "$profile" /f >/dev/null
    run reg delete 'HKLM\Software\Policies\Persten' /f >/dev/null
}

package() { find "$1" -name "persten-*-x64$2.msi" | head -n 1; }

main() {
    local machine person was
    machine=$(package "$packages" '')
    person=$(package "$packages" -user)
    [ -n "$machine$person" ] || die "no packages in $packages: make package-windows"
    boot
    plug
    say "$(basename "$machine")"
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
    gone
    forget_log
    snapshot machine
    same machine
    say "$checks checks passed"
}

main
