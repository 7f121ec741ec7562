# how: the person turned the extension off
# code: extension_off
node -e '
const fs = require("fs"), file = process.argv[1], p = JSON.parse(fs.readFileSync(file))
p.extensions.settings[process.argv[2]].disable_reasons = [1]
fs.writeFileSync(file, JSON.stringify(p))' "$HOME/.config/chromium/Default/Preferences" ldofnahphfbbgmklgggghnhbadlgdgmj
