# how: a reader is plugged in, pcscd is not installed
# code: pcscd_absent
. "$CASES/reader.inc"
rm "$ROOT/usr/sbin/pcscd"
usb "CCID Reader" 076b 3031 0b
echo "PCSCLITE_CSOCK_NAME=$DIR/none" >> "$ENV"
