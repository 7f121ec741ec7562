# how: a Rutoken is plugged in, its library is not installed
# code: driver_missing
# with: reader_unseen
. "$CASES/reader.inc"
usb "Rutoken ECP" 0a89 0030 0b
