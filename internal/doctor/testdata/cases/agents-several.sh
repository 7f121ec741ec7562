# how: a second session runs, left over from another installation
# code: agents_several
. "$CASES/program.inc"
mkdir -m 700 "$DIR/run2" "$DIR/state2"
printf '[listen]\nwebsocket = "off"\n' > "$DIR/second.toml"
XDG_RUNTIME_DIR="$DIR/run2" XDG_STATE_HOME="$DIR/state2" PERSTEN_CONFIG="$DIR/second.toml" "$PERSTEN" session --headless &
alive $!
while [ ! -S "$DIR/run2/persten/session.sock" ]; do sleep 0.05; done
