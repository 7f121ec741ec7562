# how: the manifest names another copy of the program
# code: host_other_program
mkdir "$DIR/copy"
cp "$PERSTEN" "$DIR/copy/persten"
sed -i "s,$PERSTEN,$DIR/copy/persten," "$HOME/.config/chromium/NativeMessagingHosts/persten.agent.json"
