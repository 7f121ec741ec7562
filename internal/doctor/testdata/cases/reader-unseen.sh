# how: a reader is plugged in that pcscd has no driver for
# code: reader_unseen
. "$CASES/reader.inc"
usb "CCID Reader" 076b 3031 0b
