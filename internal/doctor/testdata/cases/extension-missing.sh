# how: the browser's profile has no extension
# code: extension_missing
echo '{}' > "$HOME/.config/chromium/Default/Preferences"
