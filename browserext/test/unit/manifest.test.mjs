// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { pack } from '../../pack.mjs';
import { root } from '../load.mjs';

const ID = 'ldofnahphfbbgmklgggghnhbadlgdgmj';
const read = (file) => readFile(path.join(root, file), 'utf8');
const manifest = async (browser) => JSON.parse(await read(`dist/${browser}/manifest.json`));

/** Elements of the popup whose names look like messages. */
const ELEMENTS = ['requestList', 'faceList'];

/** What the person and a shop's reviewer agree to. Nothing is asked for that is not here. */
const golden = {
  manifest_version: 3,
  name: '__MSG_extName__',
  description: '__MSG_extDescription__',
  default_locale: 'en',
  permissions: ['nativeMessaging', 'storage', 'scripting'],
  optional_host_permissions: ['https://*/*', 'http://127.0.0.1/*', 'http://localhost/*'], // each given by the person, for one site
  icons: { 16: 'icons/16.png', 32: 'icons/32.png', 48: 'icons/48.png', 128: 'icons/128.png' },
  action: { default_title: '__MSG_extName__', default_popup: 'status/status.html', default_icon: { 16: 'icons/16.png', 32: 'icons/32.png' } },
  content_scripts: [{
    matches: ['https://*/*', 'http://127.0.0.1/*', 'http://localhost/*'], js: ['content.js'], run_at: 'document_start', all_frames: true, match_about_blank: false,
  }],
  content_security_policy: { extension_pages: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'" },
};

/** What each browser adds. Neither says a word about private windows, which leaves them off until the person turns them on. */
const added = {
  chrome: { minimum_chrome_version: '116', storage: { managed_schema: 'managed.json' }, background: { service_worker: 'background.js' } },
  firefox: {
    background: { scripts: ['background.js'] },
    browser_specific_settings: { gecko: { id: 'agent@persten.example', strict_min_version: '140.0', data_collection_permissions: { required: ['websiteContent'] } } },
  },
};

for (const browser of ['chrome', 'firefox']) {
  test(`${browser}: asks for exactly what it was agreed to ask for`, async () => {
    const { version, key, ...m } = await manifest(browser);
    assert.match(version, /^\d+\.\d+\.\d+$/);
    assert.equal(key !== undefined, browser === 'chrome');
    assert.deepEqual(m, { ...golden, ...added[browser] });
  });

  test(`${browser}: the package is small, whole and the same each time`, async (t) => {
    const [once, twice] = [await pack(path.join(root, 'dist', browser)), await pack(path.join(root, 'dist', browser))];
    assert.ok(once.equals(twice));
    t.diagnostic(`${browser}: ${(once.length / 1024).toFixed(1)} KiB`);
    assert.ok(once.length < 300 * 1024, `${once.length} bytes`);
    const dir = await mkdtemp(path.join(os.tmpdir(), 'persten-pack-'));
    try {
      await writeFile(path.join(dir, 'p.zip'), once);
      execFileSync('python3', ['-c', 'import sys, zipfile; z = zipfile.ZipFile("p.zip"); assert z.testzip() is None; z.extractall("x")'], { cwd: dir });
      for (const f of ['manifest.json', 'content.js', '_locales/ru/messages.json']) {
        assert.equal(await readFile(path.join(dir, 'x', f), 'utf8'), await read(`dist/${browser}/${f}`));
      }
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test(`${browser}: every file it names is there, and every message`, async () => {
    const m = await manifest(browser);
    const files = [...m.content_scripts[0].js, m.background.service_worker ?? m.background.scripts[0], m.action.default_popup, ...Object.values(m.icons)];
    for (const f of files) assert.ok((await read(`dist/${browser}/${f}`)).length > 0, f);
    const used = [...JSON.stringify(m).matchAll(/__MSG_(\w+)__/g)].map((x) => x[1]);
    for (const f of (await readdir(path.join(root, 'src/status'))).filter((n) => n.endsWith('.ts'))) {
      used.push(...[...(await read(`src/status/${f}`)).matchAll(/'((?:status|sites?|action|faces?|requests?)[A-Z]\w+)'/g)].map((x) => x[1]).filter((k) => !ELEMENTS.includes(k)));
    }
    used.push(...(await read('src/faces.ts')).match(/FACES = \{(.*)\}/)[1].match(/\w+(?=:)/g).map((f) => `face${f[0].toUpperCase()}${f.slice(1)}`));
    for (const lang of ['ru', 'en']) {
      const messages = JSON.parse(await read(`dist/${browser}/_locales/${lang}/messages.json`));
      for (const key of used) assert.ok(messages[key]?.message, `${lang}: ${key}`);
    }
  });

  test(`${browser}: no code from strings`, async () => {
    for (const f of ['content.js', 'background.js', 'status/status.js', 'compat/cades.js', 'compat/rutoken.js', 'compat/webeid.js', 'compat/hwcrypto.js']) {
      assert.doesNotMatch(await read(`dist/${browser}/${f}`), /\beval\(|new Function\(|innerHTML|importScripts/, f);
    }
  });
}

test('the key gives the id the native host trusts', async () => {
  const der = Buffer.from((await manifest('chrome')).key, 'base64');
  const hex = createHash('sha256').update(der).digest('hex').slice(0, 32);
  assert.equal([...hex].map((c) => String.fromCharCode(97 + parseInt(c, 16))).join(''), ID);
  assert.equal((await manifest('firefox')).browser_specific_settings.gecko.id, 'agent@persten.example');
});

test('the lock file names no registry and every package is pinned', async () => {
  const lock = await read('package-lock.json');
  for (const [, url] of lock.matchAll(/"resolved": "([^"]+)"/g)) assert.match(url, /^https:\/\/registry\.npmjs\.org\//);
  for (const [name, version] of Object.entries(JSON.parse(await read('package.json')).devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, name);
});

test('TypeScript says what everything is', async () => {
  for (const dir of ['src', 'src/compat', 'src/compat/cades', 'src/compat/rutoken', 'src/compat/webeid', 'src/compat/hwcrypto', 'src/status', 'sdk', 'demo']) {
    for (const f of (await readdir(path.join(root, dir))).filter((n) => n.endsWith('.ts'))) {
      assert.doesNotMatch(await read(`${dir}/${f}`), /[:<(|,]\s*any\b|\bas any\b|@ts-ignore|@ts-nocheck/, `${dir}/${f}`);
    }
  }
});
