# how: a policy keeps all sites from this computer (LoopbackNetworkBlockedForUrls)
# code: loopback_blocked
echo '{"LoopbackNetworkBlockedForUrls": ["*"]}' > "$ROOT/etc/chromium/policies/managed/a.json"
