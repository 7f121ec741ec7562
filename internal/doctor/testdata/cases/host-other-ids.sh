# how: the manifest lets another extension in
# code: host_other_ids
sed -i 's/ldofnahphfbbgmklgggghnhbadlgdgmj/aaaabbbbccccddddeeeeffffgggghhhh/' "$HOME/.config/chromium/NativeMessagingHosts/persten.agent.json"
