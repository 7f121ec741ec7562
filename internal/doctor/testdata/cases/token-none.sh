# how: no token is plugged in
# code: token_none
mkdir "$DIR/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$DIR/tokens" > "$DIR/empty.conf"
echo "SOFTHSM2_CONF=$DIR/empty.conf" >> "$ENV"
