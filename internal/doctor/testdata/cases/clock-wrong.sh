# how: the clock of the time-stamping server differs by two hours
# code: clock_wrong
node -e '
const s = require("http").createServer((_, r) => { r.sendDate = false; r.setHeader("Date", new Date(Date.now() - 7.2e6).toUTCString()); r.end() })
s.listen(0, "127.0.0.1", () => require("fs").writeFileSync(process.argv[1], String(s.address().port)))' "$DIR/port" &
while [ ! -s "$DIR/port" ]; do sleep 0.05; done
sed -i "s,^tsa = .*,tsa = \"http://127.0.0.1:$(cat "$DIR/port")/\"," "$CONFIG"
