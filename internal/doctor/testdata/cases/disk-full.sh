# how: the disk of the state folder is nearly full (a tmpfs of 2 MiB)
# code: disk_full
. "$CASES/program.inc"
wrapped 'exec unshare -m bash -c '"'"'mount -t tmpfs -o size=2m,mode=700 none "$0" && exec "$@"'"'"' '"$STATE"' "$@"'
