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

test('a site that the browser cannot read as one spoils no other', async () => {
  const b = new FakeBrowser();
  const unreadable = 'https://portal example/*';
  b.permissions.contains = async ({ origins: [o] }) => (o === unreadable ? Promise.reject(new Error(`Invalid value for origin pattern ${o}`)) : o === site);
  b.policy = { faces: { [unreadable]: ['cades'], [site]: ['cades'] } };
  await new Faces(b).sync();
  assert.deepEqual(b.scripts.map((s) => s.matches), [[site]]);
});

test('a switch that was refused the permission does not come on with the next one', async () => {
  const b = new FakeBrowser();
  const faces = new Faces(b);
  await faces.choose(site, 'cades', true); // and the person refuses
  await faces.choose(site, 'rutoken', true);
  b.granted.add(site);
  await faces.sync();
  assert.deepEqual(b.scripts.map((s) => s.id), ['rutoken']);
  await faces.choose(site, 'webeid', true);
  assert.deepEqual((await faces.of(site)).on, ['rutoken', 'webeid']);
});

test('the worker looks after faces when a choice changes, not when the popup is told of a request', async (t) => {
  const listeners = {};
  const event = (name) => ({ addListener: (f) => (listeners[name] = f) });
  const b = new FakeBrowser();
  let looks = 0;
  const scripting = { ...b.scripting, getRegisteredContentScripts: async () => (looks++, []) };
  globalThis.chrome = {
    permissions: { ...b.permissions, onAdded: event('added'), onRemoved: event('removed') }, scripting,
    runtime: { onConnect: event('connect'), onInstalled: event('installed'), onStartup: event('startup') },
    storage: { local: b.local, managed: b.managed, session: b.local, onChanged: event('changed') },
  };
  t.after(() => delete globalThis.chrome);
  await load('src/background.ts');
  const looked = async (name, ...args) => {
    looks = 0;
    listeners[name](...args);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return looks;
  };
  assert.equal(await looked('changed', { sites: {} }, 'session'), 0);
  for (const area of ['local', 'managed']) assert.equal(await looked('changed', { faces: {} }, area), 1, area);
  for (const name of ['installed', 'startup', 'added', 'removed']) assert.equal(await looked(name), 1, name);
});
