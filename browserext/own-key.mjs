// SPDX-License-Identifier: GPL-3.0-or-later
// For whoever packs the extension with a key of their own: own-key.mjs KEY.PEM puts its id in place of the published one, in the
// manifest, the programs, their texts and tests of the sources it lies in. Run it before building.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { idOf, publicKeyOf } from './crx.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['browserext/manifest', 'browserext/src', 'browserext/test', 'installer', 'internal', 'testdata'];

const { key: published } = JSON.parse(await readFile(path.join(root, 'browserext/manifest/chrome.json'), 'utf8'));
const was = createPublicKey({ key: Buffer.from(published, 'base64'), format: 'der', type: 'spki' });
const own = createPrivateKey(await readFile(process.argv[2]));
const instead = [[publicKeyOf(was), publicKeyOf(own)], [idOf(was), idOf(own)]];

for (const folder of FOLDERS) {
  const found = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true });
  for (const f of found.filter((e) => e.isFile())) {
    const file = path.join(f.parentPath, f.name);
    const text = await readFile(file, 'latin1'); // gives the same bytes back
    const changed = instead.reduce((t, [from, to]) => t.replaceAll(from, to), text);
    if (changed !== text) {
      await writeFile(file, changed, 'latin1');
      console.log(path.relative(root, file));
    }
  }
}
