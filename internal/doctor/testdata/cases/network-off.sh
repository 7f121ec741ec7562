# how: config.toml forbids the network
# code: network_off
printf '[network]\noffline = true\n' >> "$CONFIG"
