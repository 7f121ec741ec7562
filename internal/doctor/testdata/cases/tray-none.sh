# how: the desktop shows no icons of programs
# code: tray_none
dbus-daemon --session --nofork --address="unix:path=$DIR/bus" &
while [ ! -S "$DIR/bus" ]; do sleep 0.05; done
echo "DBUS_SESSION_BUS_ADDRESS=unix:path=$DIR/bus" >> "$ENV"
