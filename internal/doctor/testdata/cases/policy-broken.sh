# how: the machine's policy has a value that cannot be used
# code: policy_invalid
. "$CASES/program.inc"
mkdir -p "$DIR/etc/persten"
printf '[listen]\nwebsocket = 24117\n' > "$DIR/etc/persten/policy.toml"
chmod 755 "$DIR/etc" "$DIR/etc/persten"
wrapped 'exec unshare -m bash -c '"'"'mount -t overlay overlay -o lowerdir="$0":/etc /etc && exec "$@"'"'"' '"$DIR/etc"' "$@"'
