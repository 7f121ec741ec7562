# how: a policy forbids all native hosts (NativeMessagingBlocklist)
# code: host_blocked
echo '{"NativeMessagingBlocklist": ["*"]}' > "$ROOT/etc/chromium/policies/managed/a.json"
