// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { settle } from '../fakes.mjs';
import { load, root } from '../load.mjs';

const { Sites, words } = await load('src/sites.ts', 'src/status/words.ts');

/** Session storage that counts its writes and takes its time. */
class FakeMemory {
  kept = {};
  writes = 0;
  async get(key) {
    await settle();
    return structuredClone({ [key]: this.kept[key] });
  }
  async set(items) {
    await settle();
    this.writes++;
    if (this.broken) throw new Error('QUOTA_BYTES quota exceeded');
    Object.assign(this.kept, structuredClone(items));
  }
}

const site = 'https://portal.example';
const request = (method, at = 1) => ({ site, request: { at, method, outcome: 'ok' } });

test('a site is remembered with its standing, its last five requests, newest first, and its frames', async () => {
  const memory = new FakeMemory();
  const sites = new Sites(memory);
  assert.deepEqual(await sites.of(site), { standing: 'unasked', requests: [], frames: [] });
  sites.note({ site, standing: 'unknown' });
  sites.note({ site, standing: 'allowed' });
  for (let i = 0; i < 9; i++) sites.note(request(`m${i}`, i));
  for (let i = 0; i < 9; i++) sites.note({ site, frame: `https://f${i % 6}.example` });
  await new Promise((resolve) => setTimeout(resolve, 60));
  const found = await new Sites(memory).of(site);
  assert.deepEqual([found.standing, found.requests.map((r) => r.method), found.frames.length], ['allowed', ['m8', 'm7', 'm6', 'm5', 'm4'], 4]);
  assert.equal(memory.writes, 1, 'notes that come together are written together');
});

test('sixty-four sites are remembered, and a storage that fails breaks nothing', async () => {
  const memory = new FakeMemory();
  const sites = new Sites(memory);
  for (let i = 0; i < 100; i++) sites.note({ site: `https://s${i}.example`, standing: 'allowed' });
  await new Promise((resolve) => setTimeout(resolve, 60));
  const kept = Object.keys(memory.kept.sites);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [64, 'https://s36.example', 'https://s99.example']);
  memory.broken = true;
  sites.note({ site, standing: 'denied' });
  await new Promise((resolve) => setTimeout(resolve, 40));
  memory.broken = false;
  sites.note({ site, standing: 'allowed' });
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal((await sites.of(site)).standing, 'allowed');
});

test('the popup has words for every method that it has a line for', async () => {
  const { methods } = JSON.parse(await readFile(path.join(root, '../proto/persten.openrpc.json'), 'utf8'));
  const noted = methods.filter((m) => m['x-audience'] === 'page' && m['x-direction'] === undefined && !/^(agent|content)\./.test(m.name));
  const known = JSON.parse(await readFile(path.join(root, '_locales/en/messages.json'), 'utf8'));
  assert.ok(noted.length > 8);
  const words = noted.map(({ name }) => `request${name.replace(/(?:^|\.)([a-z])/g, (_, c) => c.toUpperCase())}`);
  assert.deepEqual(words.filter((w) => !(w in known)), []);
});

test('words are those of the chosen language, with their arguments', async () => {
  globalThis.chrome = { runtime: { getURL: (p) => p } };
  globalThis.fetch = async (p) => ({ json: async () => JSON.parse(await readFile(path.join(root, p), 'utf8')) });
  const [ru, en] = [await words('ru'), await words('en')];
  assert.equal(ru('statusVersion', '1.2'), 'Версия программы: 1.2');
  assert.equal(en('siteDenied', 'https://a$1.example'), 'https://a$1.example may not use Persten.');
  assert.deepEqual([ru('nothing'), ru('constructor')], ['', '']);
});
