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
    '"NextLogSequence"' '/users/[^/]*/Temp' '[+].*/AppData/Local/Programs$' '[+].*/AppData/Roaming/Microsoft/Installer$' 'wineboot'
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

msi() { timeout 300 wine msiexec "$@" /qn /l*v 'C:\msi.log'; }

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
    [ -n "$(find "$drive" -iname 'Persten.lnk' -path '*Start Menu*')" ] || die "no entry in the Start menu"
    ok "Start menu"
}


# upgraded: a later version replaces this one, and this one does not replace it.
upgraded() {
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
    if [ -n "$newer" ]; then
        upgraded "$(package "$newer" '')"
        machine=$(package "$newer" '')
    fi
    msi /x "Z:$machine" || die "removal: $(log | tail -n 20)"
    forget_log
    snapshot machine
    same machine
    say "$checks checks passed"
}

main
