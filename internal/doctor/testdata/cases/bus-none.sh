# how: there is no session bus
# code: bus_none
echo "DBUS_SESSION_BUS_ADDRESS=unix:path=$DIR/none" >> "$ENV"
