# how: config.toml names a library that is no PKCS#11 module
# code: driver_not_pkcs11
# needs: cc
echo 'int nothing(void) { return 0; }' | cc -shared -fPIC -x c -o "$DIR/other.so" -
printf '[[module]]\nname = "mine"\npath = "%s"\n' "$DIR/other.so" >> "$CONFIG"
