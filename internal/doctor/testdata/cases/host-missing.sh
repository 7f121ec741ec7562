# how: the native-host manifest was removed
# code: host_missing
rm "$HOME/.config/chromium/NativeMessagingHosts/persten.agent.json"
