# how: config.toml names a pinentry that is not there
# code: pinentry_absent
printf '[ui]\napprover = "pinentry"\npinentry = "/opt/none/pinentry"\n' >> "$CONFIG"
