# how: another program had the port first
# code: port_taken_by
# before
. "$CASES/program.inc"
node -e 'require("http").createServer((_, r) => r.end("hello")).listen(+process.argv[1], "127.0.0.1")' "$PORT" &
alive $!
until (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do sleep 0.05; done
