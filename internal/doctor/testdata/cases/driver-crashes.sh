# how: the library crashes when it is loaded
# code: driver_crashed
# needs: cc
echo '#include <stdlib.h>
unsigned long C_GetFunctionList(void *p) { abort(); }' | cc -shared -fPIC -x c -o "$DIR/crash.so" -
printf '[[module]]\nname = "mine"\npath = "%s"\n' "$DIR/crash.so" >> "$CONFIG"
