# how: Firefox refuses the extension for want of a signature
# code: extension_unsigned
mkdir -p "$HOME/.mozilla/firefox/x.default"
cat > "$HOME/.mozilla/firefox/x.default/extensions.json" <<'J'
{"schemaVersion": 37, "addons": [{"id": "agent@persten.example", "version": "0.1.0", "type": "extension", "active": false, "userDisabled": false, "appDisabled": true, "signedState": 0}]}
J
rm "$HOME/.config/chromium" -r
PATH=/nonexistent "$PERSTEN" browser install
