#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the Windows programs under wine: the tests of packages with code of their own for Windows, libraries planted beside the
# programs, a signature approved in the window by typed keys, and the service. It needs wine64, mingw, Xvfb and xdotool.
#
#   testdata/scripts/wine.sh
#
# KEEP=1 leaves the work folder behind. What wine cannot show is listed in installer/TESTED.md.
program='C:\Persten\persten.exe'
# shellcheck source=testdata/scripts/wine-machine.sh
. "$(dirname "$0")/wine-machine.sh"
cd "$scripts/../.."

programs=$drive/Persten
packages='ipc client logon secret token/wincert'
# A request that ended is in no table of wine's, so its refusal is not the one that the test wants.
skip=TestPageLimits

cross() { GOOS=windows GOARCH=amd64 CGO_ENABLED=1 CC=x86_64-w64-mingw32-gcc go "$@"; }

prepare() {
    boot
    plug
    mkdir -p "$programs"
    cross build -o "$programs/persten.exe" ./agent
    cross build -o "$programs/persten-desktop.exe" ./agent/desktop
    mkdir "$drive/csp"
    x86_64-w64-mingw32-gcc -shared -O -o "$drive/csp/cspside.dll" testdata/csp/side.c
    x86_64-w64-mingw32-gcc -shared -O -o "$drive/csp/csp.dll" testdata/csp/csp.c "$drive/csp/cspside.dll" -ladvapi32
    export PERSTEN_TEST_CSP='C:\csp\csp.dll'
}

# unit_tests runs what was compiled for Windows.
unit_tests() {
    local p name
    for p in $packages; do
        name=${p##*/}
        cross test -c -o "$programs/$name.test.exe" "./internal/$p"
        (cd "$programs" && timeout 900 wine "$name.test.exe" -test.timeout 880s -test.skip "$skip" >"$work/$name.log" 2>&1) || die "$p: $(grep -a -A 8 -e '--- FAIL' -e '^panic' "$work/$name.log" | head -n 40)"
        ok "tests of internal/$p"
    done
    rm "$programs"/*.test.exe
}

# planted puts libraries of many names beside the programs, into the current folder and into PATH: none is loaded. Without the
# programs' own defence some are, which shows that the test can fail.
planted() {
    local name dir traps=$drive/traps
    mkdir -p "$traps"
    printf '%s\n' '#include <windows.h>' 'BOOL WINAPI DllMain(HINSTANCE h, DWORD why, LPVOID p)' \
        '{ HANDLE f = CreateFileA("C:\\loaded", GENERIC_WRITE, 0, 0, CREATE_ALWAYS, 0, 0); CloseHandle(f); return TRUE; }' >"$work/trap.c"
    x86_64-w64-mingw32-gcc -shared -o "$work/trap.dll" "$work/trap.c"
    for name in advapi32 bcrypt bcryptprimitives crypt32 d3d11 dbghelp dnsapi dwmapi dxgi imm32 iphlpapi mswsock ncrypt netapi32 opengl32 \
        powrprof profapi propsys secur32 sspicli userenv uxtheme version winhttp wininet winmm winsta wsock32 ws2_32 wtsapi32 persten-planted; do
        for dir in "$programs" "$traps"; do cp "$work/trap.dll" "$dir/$name.dll"; done
    done
    printf '%s\n' 'package main' 'import "syscall"' 'func main() { _ = syscall.NewLazyDLL("persten-planted.dll").Load() }' >"$work/open.go"
    cross build -o "$programs/open.exe" "$work/open.go"
    (cd "$traps" && timeout 60 wine 'C:\Persten\open.exe')
    [ -e "$drive/loaded" ] || die "the trap does not work"
    rm "$drive/loaded"
    for name in 'persten.exe status' 'persten.exe certs --standalone' 'persten.exe doctor' 'persten.exe browser status' 'persten.exe service status' \
        'persten-desktop.exe window'; do
        # shellcheck disable=SC2086,SC1003 # words; the backslash is a backslash
        (cd "$traps" && WINEPATH='C:\traps' timeout 20 wine 'C:\Persten\'$name >/dev/null 2>&1) || true
        [ ! -e "$drive/loaded" ] || die "$name loads a planted library"
    done
    rm -rf "$traps" "$programs"/open.exe
    for name in "$programs"/*.dll; do rm "$name"; done
    ok "31 names of planted libraries in 3 places: 0 loaded"
}

display() {
    local n
    for n in $(seq 90 120); do [ -e "/tmp/.X11-unix/X$n" ] || break; done
    Xvfb ":$n" -noreset -screen 0 1280x900x24 >/dev/null 2>&1 &
    background+=($!)
    export DISPLAY=:$n
    for _ in $(seq 50); do [ -e "/tmp/.X11-unix/X$n" ] && return; sleep 0.1; done
    die "no display"
}

# store signs with a key of Windows' certificate store, whose provider asks for nothing.
store() {
    local id
    x86_64-w64-mingw32-gcc -O -o "$token/storekey.exe" installer/windows/wine/storekey.c -lcrypt32
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/store.pem" -out "$token/store-cert.pem" -days 30 -utf8 \
        -subj '/CN=Демонстрационный Подписант' -addext keyUsage=critical,digitalSignature,nonRepudiation 2>/dev/null
    openssl pkcs12 -export -inkey "$work/store.pem" -in "$token/store-cert.pem" -out "$token/store.p12" -passout pass:1234
    openssl pkcs12 -export -inkey "$token/key.pem" -in "$token/cert.pem" -out "$token/both.p12" -passout pass:1234
    # wine keeps all imported keys in one container: the last one is there.
    for id in both store; do timeout 60 wine 'C:\token\storekey.exe' "C:\\token\\$id.p12" || die "import of $id.p12"; done
    [ "$(agent certs | grep -c 'token: Windows')" = 1 ] || die "not once in the store, once on the PKCS#11 token: $(agent certs)"
    id=$(openssl x509 -in "$token/store-cert.pem" -outform DER | sha256sum | cut -c1-64)
    printf 1 | agent sign cms --standalone --pin-fd 0 --cert "$id" --in 'C:\token\contract.txt' --out 'C:\token\store.p7s' >/dev/null || die "store: $(cat "$work/out")"
    verified store.p7s "$token/store-cert.pem"
    ok "signed with a key of Windows' certificate store; OpenSSL verifies it"
    forbidden "$id"
}

# forbidden has policy forbid keys in Microsoft's software, then the store.
forbidden() {
    local policy='HKLM\Software\Policies\Persten'
    wine reg add "$policy\\keyfiles" /v forbid /t REG_DWORD /d 1 /f >/dev/null
    printf 1 | agent sign cms --standalone --pin-fd 0 --cert "$1" --in 'C:\token\contract.txt' --out 'C:\token\no.p7s' >/dev/null && die "keyfiles.forbid: signed"
    grep -q policy_forbids "$work/out" || die "keyfiles.forbid: $(cat "$work/out")"
    wine reg add "$policy\\modules\\only" /v 1 /d softhsm /f >/dev/null
    agent certs | grep -q 'token: Windows' && die "modules.only: $(cat "$work/out")"
    wine reg delete "$policy" /f >/dev/null
    ok "policy forbids keys of Microsoft's software, and the store"
}

# window signs by way of the session: the document and the PIN go to processes of their own.
window() {
    local tries
    again
    timeout 600 wine 'C:\Persten\persten.exe' session >"$work/session.log" 2>&1 &
    running yes
    agent certs | grep -q "$certificate" || die "certs: $(agent certs)"
    agent sign cms --cert "$certificate" --in 'C:\token\contract.txt' --out 'C:\token\window.p7s' >"$work/sign.log" &
    local signing=$!
    for tries in $(seq 60); do xdotool search --onlyvisible --name '^Persten:' >/dev/null 2>&1 && break; sleep 0.5; done
    sleep 2 # deaf to the first keys
    xdotool mousemove 260 580 click 1
    xdotool type --delay 80 "$pin"
    xdotool key Return
    wait "$signing" || die "signing after $tries tries: $(cat "$work/sign.log")"
    verified window.p7s
    agent journal list | grep -q 'contract.txt  done' || die "journal: $(agent journal list)"
    ok "signed in the window with a PIN typed there; OpenSSL verifies it"
    again
    unset DISPLAY
}

# shares looks at the port, which the service holds and the session serves.
shares() {
    if [ -z "$free" ]; then say "NOT RUN: the shared port, which another program of this machine has"; return; fi
    (agent doctor || true) | grep -q 'Sites can reach Persten through its port' || die "port: $(agent doctor || true)"
    if agent status --json | grep '"code": "port_'; then die "a problem with the port"; fi
    ok "the service hands a connection to its port over to the session"
}

# copies makes it look as if two packages were installed.
copies() {
    wine reg add 'HKLM\Software\Persten' /v InstallDir /d 'C:\Persten' /f >/dev/null 2>&1
    if (agent doctor || true) | grep -q 'installed twice'; then die "one installation counts as two"; fi
    mkdir -p "$drive/Second"
    cp "$programs/persten.exe" "$drive/Second"
    wine reg add 'HKCU\Software\Persten' /v InstallDir /d 'C:\Second' /f >/dev/null 2>&1
    (agent doctor || true) | grep -q 'installed twice: C:\\Persten, C:\\Second' || die "two copies: $(agent doctor || true)"
    ok "the doctor tells of a second installation"
}

service() {
    local free=''
    (exec 3<>/dev/tcp/127.0.0.1/24117) 2>/dev/null || free=yes
    true >"$home/AppData/Roaming/persten/config.toml" # the port, and no token, which has no environment there
    agent service install >/dev/null || die "service install"
    agent service start >/dev/null || die "service start: $(agent service status)"
    running yes
    shares
    copies
    local pid began=$SECONDS
    pid=$(ours | sed -n 's/ persten.exe$//p' | tail -n 1)
    wine taskkill /f /pid $((16#$pid)) >/dev/null || die "no session $pid to kill"
    running yes
    ok "a killed session is back after $((SECONDS - began)) s"
    agent service stop >/dev/null || die "service stop"
    running no
    agent service uninstall >/dev/null || die "service uninstall"
    agent service status | grep -q 'not installed' || die "service status: $(agent service status)"
    ok "the service starts a session in the logon session and takes it along"
}

display # without one wine makes a desktop on which no window opens
prepare
unit_tests
planted
store
window
service
say "$checks checks passed"
