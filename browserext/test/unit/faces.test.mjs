// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from '../load.mjs';

const { Faces, pattern } = await load('src/faces.ts');

/** The parts of a browser that faces are kept in. */
class FakeBrowser {
  scripts = [];
  granted = new Set();
  stored = {};
  policy = {};
  scripting = {
    getRegisteredContentScripts: async () => structuredClone(this.scripts),
    registerContentScripts: async (list) => {
      for (const s of list) {
        if (this.scripts.some((other) => other.id === s.id)) throw new Error(`Duplicate script ID '${s.id}'`);
        this.scripts.push(s);
      }
    },
    unregisterContentScripts: async ({ ids }) => {
      this.scripts = this.scripts.filter((s) => !ids.includes(s.id));
    },
  };
  permissions = { contains: async ({ origins }) => origins.every((o) => this.granted.has(o)) };
  local = { get: async (key) => ({ [key]: this.stored[key] }), set: async (items) => Object.assign(this.stored, items) };
  managed = { get: async (key) => (this.policy instanceof Error ? Promise.reject(this.policy) : { [key]: this.policy[key] }) };
}

const site = 'https://portal.example/*';
const other = 'https://other.example/*';

test('a site is its scheme and host', () => {
  assert.equal(pattern('https://portal.example'), site);
  assert.equal(pattern('http://127.0.0.1:8080'), 'http://127.0.0.1/*');
});

test('off until it is chosen and permitted; off again when either is taken back', async () => {
  const b = new FakeBrowser();
  const faces = new Faces(b);
  await faces.sync();
  assert.deepEqual(b.scripts, []);
  await faces.choose(site, 'cades', true);
  await faces.sync();
  assert.deepEqual(b.scripts, [], 'the browser does not permit the site');
  b.granted.add(site).add(other);
  await faces.sync();
  assert.deepEqual(b.scripts, [{
    id: 'cades', js: ['compat/cades.js'], matches: [site], runAt: 'document_start', world: 'MAIN', allFrames: false, persistAcrossSessions: true,
  }], 'and nothing on the other site, which is permitted but not chosen');
  await faces.choose(other, 'cades', true);
  await Promise.all([faces.sync(), faces.sync()]);
  assert.deepEqual(b.scripts.map((s) => s.matches), [[other, site]]);
  b.granted.delete(other);
  await faces.sync();
  assert.deepEqual(b.scripts.map((s) => s.matches), [[site]]);
  await faces.choose(site, 'cades', false);
  await faces.choose(other, 'cades', false);
  await faces.sync();
  assert.deepEqual(b.scripts, []);
  assert.deepEqual(b.stored.faces, {});
});

test('an update of the extension loses the registrations, and they come back', async () => {
  const b = new FakeBrowser();
  b.granted.add(site);
  const faces = new Faces(b);
  await faces.choose(site, 'cades', true);
  await faces.sync();
  b.scripts = [];
  await faces.sync();
  assert.deepEqual(b.scripts.map((s) => s.matches), [[site]]);
});

test('policy turns faces on as well, and nonsense in it turns on nothing', async () => {
  const b = new FakeBrowser();
  b.granted = { has: () => true };
  b.policy = { faces: { [site]: ['cades', 'nothing', 7], 'https://*/*': ['cades'], '<all_urls>': ['cades'], [other]: 'cades', 'file:///x': ['cades'] } };
  const faces = new Faces(b);
  await faces.sync();
  assert.deepEqual(b.scripts.map((s) => s.matches), [[site]]);
  assert.deepEqual(await faces.of(site), { on: [], policy: ['cades'] });
  b.policy = new Error('Managed storage manifest not found');
  await faces.sync();
  assert.deepEqual(b.scripts, []);
  assert.deepEqual(await faces.of(site), { on: [], policy: [] });
});
