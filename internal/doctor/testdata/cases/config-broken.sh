# how: config.toml has a key nobody knows
# code: config_invalid
printf '[ui]\ncolour = "red"\n' >> "$CONFIG"
