# how: the manifest names a program that was uninstalled
# code: host_program_absent
sed -i "s,$PERSTEN,/opt/persten-old/persten," "$HOME/.config/chromium/NativeMessagingHosts/persten.agent.json"
