# how: the time-stamping server does not answer
# code: tsa_unreachable
sed -i 's,^tsa = .*,tsa = "http://127.0.0.1:1025/tsa",' "$CONFIG"
