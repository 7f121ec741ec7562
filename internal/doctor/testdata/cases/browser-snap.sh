# how: the only browser is a snap
# code: browser_confined
# with: extension_missing
rm -r "$HOME/.config/chromium"
mkdir -p "$HOME/snap/firefox/common"
