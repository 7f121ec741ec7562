// SPDX-License-Identifier: GPL-3.0-or-later
// Whoever packs the extension with a key of their own has the whole of the sources name its id, in a copy of them here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { idOf } from '../../crx.mjs';
import { EXTENSION } from '../chromium.mjs';
import { root } from '../load.mjs';

const ours = ['agent', 'browserext', 'installer', 'internal', 'proto', 'testdata'];
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

test('a key of one’s own takes the place of ours everywhere', async (t) => {
  const copy = await mkdtemp(path.join(os.tmpdir(), 'persten-own-'));
  t.after(() => rm(copy, { recursive: true }));
  const filter = (f) => !/\/(node_modules|dist|screenshots)(\/|$)/.test(f.slice(root.length));
  for (const name of ours) await cp(path.join(root, '..', name), path.join(copy, name), { recursive: true, filter });
  await writeFile(path.join(copy, 'key.pem'), key.export({ type: 'pkcs8', format: 'pem' }));
  const changed = execFileSync(process.execPath, ['browserext/own-key.mjs', 'key.pem'], { cwd: copy, encoding: 'utf8' }).trim().split('\n');
  for (const file of ['browserext/manifest/chrome.json', 'browserext/src/content.ts', 'internal/browser/browser.go', 'installer/ADMIN.md']) {
    assert.ok(changed.includes(file), `${file} was not changed`);
  }
  const manifest = JSON.parse(await readFile(path.join(copy, 'browserext/manifest/chrome.json'), 'utf8'));
  assert.equal(idOf(createPublicKey({ key: Buffer.from(manifest.key, 'base64'), format: 'der', type: 'spki' })), idOf(key));
  const left = [];
  for (const f of await readdir(copy, { recursive: true, withFileTypes: true })) {
    const file = path.join(f.parentPath, f.name);
    if (f.isFile() && (await readFile(file, 'latin1')).includes(EXTENSION)) left.push(path.relative(copy, file));
  }
  assert.deepEqual(left, [], 'these name the published id still');
});
