# how: a policy forbids all extensions (ExtensionInstallBlocklist)
# code: extension_blocked
echo '{"ExtensionInstallBlocklist": ["*"]}' > "$ROOT/etc/chromium/policies/managed/a.json"
