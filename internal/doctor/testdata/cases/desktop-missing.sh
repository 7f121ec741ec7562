# how: persten-desktop is not installed beside persten
# code: desktop_missing
# with: host_other_program
mkdir "$DIR/alone"
cp "$PERSTEN" "$DIR/alone/persten"
echo "DOCTOR=$DIR/alone/persten" >> "$ENV"
