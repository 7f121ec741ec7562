# how: policies.json of Firefox forbids all extensions
# code: extension_blocked
mkdir -p "$HOME/.mozilla/firefox/x.default" "$ROOT/etc/firefox/policies"
cat > "$HOME/.mozilla/firefox/x.default/extensions.json" <<'J'
{"schemaVersion": 37, "addons": [{"id": "agent@persten.example", "version": "0.1.0", "type": "extension", "active": true, "userDisabled": false, "appDisabled": false}]}
J
echo '{"policies": {"ExtensionSettings": {"*": {"installation_mode": "blocked"}}}}' > "$ROOT/etc/firefox/policies/policies.json"
rm "$HOME/.config/chromium" -r
PATH=/nonexistent "$PERSTEN" browser install
