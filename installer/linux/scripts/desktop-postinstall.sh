#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# After the first installation on a desktop: the agent starts at logon, with its icon in the panel.
set -e

if { [ "$1" = configure ] && [ -z "$2" ] || [ "$1" = 1 ]; } && command -v systemctl >/dev/null; then
    systemctl --global preset persten.service >/dev/null 2>&1 || true
fi
