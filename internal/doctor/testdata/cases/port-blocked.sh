# how: connections to the listening port are refused, as by a filter (another network namespace)
# code: port_blocked
# with: tsa_unreachable
. "$CASES/program.inc"
rm "$ROOT/proc/net"
ln -s "/proc/$SESSION/net" "$ROOT/proc/net"
wrapped 'exec unshare -n "$@"'
