# how: a policy forbids native hosts of users (NativeMessagingUserLevelHosts)
# code: host_user_only
echo '{"NativeMessagingUserLevelHosts": false}' > "$ROOT/etc/chromium/policies/managed/a.json"
