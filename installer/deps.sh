#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the Debian or Ubuntu packages that building and testing Persten needs.
#
#   installer/deps.sh [build|test|windows|msi|wine|lint|soak|bench|package|package-test]... install what is missing (default: build)
#   installer/deps.sh --list [GROUP]...              print the packages, install nothing
#   installer/deps.sh --browser                      print the path of a Chromium that loads unpacked extensions
#
# When nothing is missing it asks dpkg once, prints nothing and touches no network.
# "a|b" means: a where this release has it, else b.
set -euo pipefail

build_packages=(
    build-essential pkg-config                                        # C compiler for PKCS#11 (cgo)
    libwayland-dev libx11-dev libx11-xcb-dev libxkbcommon-dev libxkbcommon-x11-dev
    libegl-dev libgles-dev libvulkan-dev libxcursor-dev libxfixes-dev # the window (Gio)
    libgtk-3-dev libayatana-appindicator3-dev                         # the tray icon
)
test_packages=(
    softhsm2 opensc libssl-dev                                        # a real PKCS#11 token, and one with GOST of our own
    openssl 'libengine-gost-openssl|libengine-gost-openssl1.1'        # independent verifier, with GOST
    gnutls-bin                                                        # certtool, another one
    libnss3-tools                                                     # certutil: certificate stores of browsers
    xmlsec1 libxml2-utils libxml2-dev                                 # the same for XML, testdata/xmlsec/xmlsec-gost.sh
    xvfb openbox xdotool imagemagick x11-utils x11-xkb-utils          # a desktop for the window and the tray
    xfce4-panel dunst dbus-x11 python3-gi gir1.2-gtk-3.0
    tesseract-ocr tesseract-ocr-rus                                   # reads the screen: the user guide is followed to the letter
    libgl1-mesa-dri fonts-dejavu-core
    pcscd                                                             # the service of card readers, for the doctor
    rsyslog rsyslog-gnutls                                            # a syslog server the journal is forwarded to
    poppler-utils xdg-utils file                                         # what the viewer of documents uses of the system
    'pinentry-gtk2|pinentry-gnome3'
)
debian_test_packages=(chromium firefox-esr)                           # Ubuntu's are snaps: see ubuntu_browser, ubuntu_firefox
windows_packages=(gcc-mingw-w64-x86-64)
wine_packages=(gcc-mingw-w64-x86-64 wine wine64 openssl xvfb xdotool) # what runs the Windows programs
msi_packages=(gcc-mingw-w64-x86-64 wixl msitools osslsigncode)         # make package-windows
lint_packages=(shellcheck)
soak_packages=(libbotan-2-dev automake libtool g++)                   # SoftHSM with GOST, testdata/p11/softhsm-gost.sh
bench_packages=(libbotan-2-dev libgcrypt20-dev g++)                   # GOST of others to compare with, internal/bench/peer
package_packages=(debian-archive-keyring)                             # what signed the C libraries of Debian 11, installer/linux/sysroot.sh
package_test_packages=(debootstrap systemd-container rpm rpmlint)     # a machine to install on, installer/test

why() {
    case $1 in
    build) echo "to compile the agent (PKCS#11 through cgo), the approval window and the tray icon" ;;
    test) echo "to test with a real token, a browser, a desktop, and OpenSSL, GnuTLS, libxml2 and xmlsec1 as independent verifiers" ;;
    windows) echo "to check that the Windows build compiles" ;;
    wine) echo "to run the Windows programs" ;;
    msi) echo "to compile for Windows, and to build and sign MSI packages" ;;
    lint) echo "to check the shell scripts" ;;
    soak) echo "to build a second token with GOST for the long tests" ;;
    bench) echo "to measure beside other libraries with GOST" ;;
    package) echo "to make the packages for Linux" ;;
    package-test) echo "to install the packages in a machine of their own" ;;
    esac
}

say() { printf 'deps: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

packages_of() {
    case $1 in
    build) printf '%s\n' "${build_packages[@]}" ;;
    test)
        printf '%s\n' "${test_packages[@]}"
        if [ "$(distribution)" != ubuntu ]; then printf '%s\n' "${debian_test_packages[@]}"; fi
        ;;
    windows) printf '%s\n' "${windows_packages[@]}" ;;
    msi) printf '%s\n' "${msi_packages[@]}" ;;
    wine) printf '%s\n' "${wine_packages[@]}" ;;
    lint) printf '%s\n' "${lint_packages[@]}" ;;
    soak) printf '%s\n' "${soak_packages[@]}" ;;
    bench) printf '%s\n' "${bench_packages[@]}" ;;
    package) printf '%s\n' "${package_packages[@]}" ;;
    package-test) printf '%s\n' "${package_test_packages[@]}" ;;
    *) say "unknown group '$1': build, test, windows, msi, wine, lint, soak, bench, package or package-test"; exit 2 ;;
    esac
}

distribution() {
    local id='' like=''
    if [ -r /etc/os-release ]; then
        id=$(sed -n 's/^ID=//p' /etc/os-release | tr -d '"')
        like=$(sed -n 's/^ID_LIKE=//p' /etc/os-release | tr -d '"')
    fi
    case " $id $like " in
    *" ubuntu "*) echo ubuntu ;;
    *" debian "*) echo debian ;;
    *) echo "${id:-unknown}" ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root and there is no sudo here. As root, run: $*"
    fi
}

# missing prints those of its arguments of which no alternative is installed.
missing() {
    local installed want name
    installed=" $(dpkg-query -W -f '${db:Status-Abbrev}|${Package}\n' 2>/dev/null | awk -F '|' '/^ii/ { printf "%s ", $2 }')"
    for want in "$@"; do
        for name in ${want//|/ }; do
            case $installed in *" $name "*) continue 2 ;; esac
        done
        printf '%s\n' "$want"
    done
}

# available picks the alternative of $1 that this release has.
available() {
    local name
    for name in ${1//|/ }; do
        if [ -n "$(apt-cache madison "$name" 2>/dev/null)" ]; then
            echo "$name"
            return
        fi
    done
    die "this release has no package ${1//|/ or }. Install it by hand, then run make again."
}

install_missing() {
    local want names=()
    command -v apt-get >/dev/null ||
        die "this script knows Debian and Ubuntu only. Install the equivalents of: $*"
    as_root apt-get update -qq
    for want in "$@"; do names+=("$(available "$want")"); done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >&2
}

# version_at_least FOUND WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

check_tools() {
    local found
    command -v go >/dev/null || die "Go is not installed. Persten needs Go 1.26.6 or later: https://go.dev/dl/"
    found=$(go env GOVERSION)
    version_at_least "${found#go}" 1.26.6 || [ "$(go env GOTOOLCHAIN)" != local ] ||
        die "this is Go ${found#go}; Persten needs 1.26.6 or later: https://go.dev/dl/"
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        die "node and npm are not installed. Persten needs node 20 or later: https://nodejs.org/"
    fi
    found=$(node --version)
    version_at_least "${found#v}" 20 || die "this is node ${found#v}; Persten needs 20 or later: https://nodejs.org/"
}

# browser prints a Chromium that still loads unpacked extensions from the command line (Chrome does not).
browser() {
    local found
    if [ -n "${CHROMIUM:-}" ]; then echo "$CHROMIUM"; return; fi
    if [ -x /usr/bin/chromium ] && [ "$(distribution)" != ubuntu ]; then echo /usr/bin/chromium; return; fi
    found=$(find "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}" -path '*chromium-*/chrome-linux*/chrome' -type f 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$found" ]; then return 1; fi
    echo "$found"
}

# ubuntu_browser: Ubuntu's chromium is a snap, which sees neither the test's profile folder nor its native host.
ubuntu_browser() {
    if [ "$(distribution)" != ubuntu ] || browser >/dev/null; then return; fi
    say "installing playwright's Chromium: Ubuntu's own is a snap, which cannot see the test's files"
    (cd "$(dirname "$0")/../browserext" && npm ci --no-audit --no-fund >&2 && npx playwright-core install --with-deps chromium >&2)
}

# ubuntu_firefox: the same with its Firefox; there is no other to install, so its tests are not run.
ubuntu_firefox() {
    if [ "$(distribution)" != ubuntu ] || [ -n "${FIREFOX:-}" ]; then return; fi
    say "NOT RUN here: the tests with Firefox. Ubuntu's is a snap, which cannot see the test's files; set FIREFOX to another"
}

main() {
    local group groups=() wanted=() list=no
    case ${1:-} in
    --browser) browser; return ;;
    --list) list=yes; shift ;;
    -*) say "unknown option '$1'"; exit 2 ;;
    esac
    groups=("$@")
    if [ ${#groups[@]} = 0 ]; then groups=(build); fi
    if [ $list = no ]; then check_tools; fi
    for group in "${groups[@]}"; do
        packages_of "$group" >/dev/null
        mapfile -t wanted < <(packages_of "$group")
        if [ $list = yes ]; then
            printf '%s\n' "${wanted[@]}"
            continue
        fi
        mapfile -t wanted < <(missing "${wanted[@]}")
        if [ ${#wanted[@]} != 0 ]; then
            say "installing, $(why "$group"): ${wanted[*]}"
            install_missing "${wanted[@]}"
        fi
        if [ "$group" = test ]; then
            ubuntu_browser
            ubuntu_firefox
        fi
    done
}

main "$@"
