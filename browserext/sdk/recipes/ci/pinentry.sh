#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A pinentry that answers by itself, for the practice token in CI and nothing else. It says yes only to a question that names the
# site in PERSTEN_CI_SITE, so that a test notices a question from somewhere else.

PIN=12345678 # of every practice token; no secret

shown=''
echo 'OK Pleased to meet you'
while read -r command rest; do
  case $command in
    SETDESC) shown=$shown$rest ;;
    CONFIRM | GETPIN)
      case $shown in
        *"${PERSTEN_CI_SITE:?}" | *"$PERSTEN_CI_SITE"[!a-zA-Z0-9.:-]*) ;; # and not a longer name
        *) echo 'ERR 83886179 Operation cancelled <Pinentry>'; continue ;;
      esac
      if [ "$command" = GETPIN ]; then echo "D $PIN"; fi ;;
    BYE) echo 'OK closing connection'; exit ;;
  esac
  echo OK
done
