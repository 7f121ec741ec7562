# how: config.toml names a library for another processor
# code: driver_architecture
cp "$MODULE" "$DIR/lib32.so"
printf '\x28' | dd of="$DIR/lib32.so" bs=1 seek=18 conv=notrunc status=none
printf '[[module]]\nname = "mine"\npath = "%s"\n' "$DIR/lib32.so" >> "$CONFIG"
