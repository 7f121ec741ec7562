// SPDX-License-Identifier: GPL-3.0-or-later
// What browsers do not judge of the packages for a server of one's own; test/delivery.test.mjs has them judge the rest.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { crx3, idOf } from '../../crx.mjs';
import { pack, selfHosted } from '../../pack.mjs';
import { EXTENSION } from '../chromium.mjs';
import { root } from '../load.mjs';

const dist = path.join(root, 'dist');
const base = 'https://persten.example/extension';
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

test('the id is the one that manifests fix by their key', async () => {
  const manifest = JSON.parse(await readFile(path.join(root, 'manifest/chrome.json'), 'utf8'));
  assert.equal(idOf(createPublicKey({ key: Buffer.from(manifest.key, 'base64'), format: 'der', type: 'spki' })), EXTENSION);
});

test('the same files and key make the same bytes', async () => {
  const again = () => selfHosted(dist, { base, key, over: { version: '7.1.0' } });
  const [a, b] = [await again(), await again()];
  assert.deepEqual(a, b);
  const without = await selfHosted(dist, { base, over: { version: '7.1.0' } });
  assert.deepEqual(without, { 'persten-7.1.0.xpi': a['persten-7.1.0.xpi'], 'updates.json': a['updates.json'] }, 'without a key there is no CRX');
  assert.deepEqual(Object.keys(a).sort(), ['persten-7.1.0.crx', 'persten-7.1.0.xpi', 'update.xml', 'updates.json']);
});

test('both descriptions name the packages by address and hash', async () => {
  const files = await selfHosted(dist, { base, key, over: { version: '7.1.0' } });
  const sum = (name) => createHash('sha256').update(files[name]).digest('hex');
  const [, crx] = /codebase="([^"]*)" version="7\.1\.0"/.exec(files['update.xml']);
  assert.equal(crx, `${base}/persten-7.1.0.crx`);
  assert.ok(files['update.xml'].includes(`appid="${idOf(key)}"`) && files['update.xml'].includes(sum('persten-7.1.0.crx')));
  const [update] = JSON.parse(files['updates.json']).addons['agent@persten.example'].updates;
  assert.deepEqual([update.version, update.update_link, update.update_hash], ['7.1.0', `${base}/persten-7.1.0.xpi`, `sha256:${sum('persten-7.1.0.xpi')}`]);
});

test('the shops get no address of updates, which they refuse', async () => {
  for (const browser of ['chrome', 'firefox']) {
    const manifest = await readFile(path.join(dist, browser, 'manifest.json'), 'utf8');
    assert.ok(!manifest.includes('update_url') && (await pack(path.join(dist, browser))).length > 1000);
  }
});

test('weak and other keys, and what is no folder, are refused', async () => {
  const zip = Buffer.from('PK');
  assert.throws(() => crx3(zip, generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), /RSA of 2048/);
  assert.throws(() => crx3(zip, generateKeyPairSync('ed25519').privateKey), /RSA of 2048/);
  for (const bad of ['', 'ftp://persten.example/x', `${base}/`, `${base}?x=1`, `${base}"/><x`, 'persten.example', 'http://persten.example/x', 'http://127.0.0.1.example/x']) {
    await assert.rejects(selfHosted(dist, { base: bad, key }), /not the https address of a folder/, bad);
  }
});
