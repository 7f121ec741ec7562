# how: config.toml names a library that is not there
# code: driver_absent
printf '[[module]]\nname = "mine"\npath = "/opt/none/libnone.so"\n' >> "$CONFIG"
