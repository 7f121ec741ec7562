#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A person in a hurry: says yes to everything and gives the practice PIN.
echo 'OK Pleased to meet you'
while read -r command _; do
	case $command in
	GETPIN) echo 'D 12345678'; echo OK ;;
	BYE) echo OK; exit 0 ;;
	*) echo OK ;;
	esac
done
