# how: the extension was loaded by hand without its key, so it has another id
# code: extension_other_id
sed -i 's/ldofnahphfbbgmklgggghnhbadlgdgmj/aaaabbbbccccddddeeeeffffgggghhhh/g' "$HOME/.config/chromium/Default/Preferences"
