# how: everybody may write to config.toml
# code: config_loose
chmod 666 "$CONFIG"
