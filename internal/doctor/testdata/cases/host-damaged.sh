# how: the native-host manifest was cut in the middle
# code: host_damaged
truncate -s 40 "$HOME/.config/chromium/NativeMessagingHosts/persten.agent.json"
