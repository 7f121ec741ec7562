# how: a card is in a (virtual) reader that no library knows
# code: card_unknown
# needs: /usr/lib/pcsc/drivers/serial/libifdvpcd.so
# (Debian: vsmartcard-vpcd. It is not among what make installs: it would have the computer's own pcscd listen on all interfaces.)
. "$CASES/reader.inc"
printf 'app default {\n\tcard_drivers = openpgp;\n}\n' > "$DIR/opensc.conf" # one kind of card is enough not to know it
echo "OPENSC_CONF=$DIR/opensc.conf" >> "$ENV"
export OPENSC_CONF="$DIR/opensc.conf"
pcscd 3b0441424344
settled readers
