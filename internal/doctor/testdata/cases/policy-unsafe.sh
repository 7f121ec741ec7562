# how: others than root may change the machine's policy
# code: policy_unsafe
. "$CASES/program.inc"
mkdir -p "$DIR/etc/persten"
printf '[listen]\nwebsocket = "off"\n' > "$DIR/etc/persten/policy.toml"
chmod 755 "$DIR/etc" "$DIR/etc/persten"
chmod 666 "$DIR/etc/persten/policy.toml"
wrapped 'exec unshare -m bash -c '"'"'mount -t overlay overlay -o lowerdir="$0":/etc /etc && exec "$@"'"'"' '"$DIR/etc"' "$@"'
