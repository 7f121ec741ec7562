# how: the port was changed in config.toml and the session not restarted
# code: port_closed
sed -i "s/127.0.0.1:$PORT/127.0.0.1:1024/" "$CONFIG"
