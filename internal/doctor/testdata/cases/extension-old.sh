# how: the program was updated, the extension was not
# code: extension_old
# with: agent_version host_other_program
. "$CASES/program.inc"
updated
cp -r "$CASES/../../../../browserext/dist/chrome" "$DIR/extension"
sed -i 's/"version": *"[^"]*"/"version": "0.0.9"/' "$DIR/extension/manifest.json"
node -e '
const fs = require("fs"), file = process.argv[1], p = JSON.parse(fs.readFileSync(file))
p.extensions.settings[process.argv[2]].path = process.argv[3]
fs.writeFileSync(file, JSON.stringify(p))' "$HOME/.config/chromium/Default/Preferences" ldofnahphfbbgmklgggghnhbadlgdgmj "$DIR/extension"
