# how: the port is off in config.toml
# code: port_off
sed -i "s/127.0.0.1:$PORT/off/" "$CONFIG"
