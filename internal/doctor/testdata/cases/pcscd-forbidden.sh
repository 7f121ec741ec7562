# how: this user may not write to the socket of pcscd
# code: pcscd_forbidden
. "$CASES/program.inc"
. "$CASES/reader.inc"
pcscd
chmod 000 "$DIR/pcscd/pcscd.comm"
wrapped 'exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
