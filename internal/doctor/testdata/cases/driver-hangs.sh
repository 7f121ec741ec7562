# how: the library hangs when it is loaded
# code: driver_timeout
# needs: cc
echo '#include <unistd.h>
unsigned long C_GetFunctionList(void *p) { for (;;) pause(); }' | cc -shared -fPIC -x c -o "$DIR/hang.so" -
printf '[[module]]\nname = "mine"\npath = "%s"\n' "$DIR/hang.so" >> "$CONFIG"
