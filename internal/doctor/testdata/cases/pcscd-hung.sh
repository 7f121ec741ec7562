# how: pcscd hangs (SIGSTOP)
# code: pcscd_hung
# with: driver_timeout
. "$CASES/reader.inc"
pcscd
kill -STOP "$PCSCD"
