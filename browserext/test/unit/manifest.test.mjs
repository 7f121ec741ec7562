// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { root } from '../load.mjs';

const ID = 'ldofnahphfbbgmklgggghnhbadlgdgmj';
const read = (file) => readFile(path.join(root, file), 'utf8');
const manifest = async (browser) => JSON.parse(await read(`dist/${browser}/manifest.json`));

for (const browser of ['chrome', 'firefox']) {
  test(`${browser}: asks for exactly what it was agreed to ask for`, async () => {
    const m = await manifest(browser);
    assert.equal(m.manifest_version, 3);
    assert.deepEqual(m.permissions, ['nativeMessaging', 'storage', 'scripting']);
    assert.deepEqual(m.optional_host_permissions, ['https://*/*', 'http://127.0.0.1/*', 'http://localhost/*'], 'each given by the person, for one site');
    assert.deepEqual(m.content_scripts, [{
      matches: ['https://*/*', 'http://127.0.0.1/*', 'http://localhost/*'],
      js: ['content.js'], run_at: 'document_start', all_frames: false, match_about_blank: false,
    }]);
    const allowed = new Set(['manifest_version', 'name', 'description', 'default_locale', 'version', 'permissions', 'optional_host_permissions', 'icons', 'action',
      'content_scripts', 'content_security_policy', 'background', ...(browser === 'chrome' ? ['key', 'minimum_chrome_version', 'storage'] : ['browser_specific_settings'])]);
    assert.deepEqual(Object.keys(m).filter((k) => !allowed.has(k)), [], 'no host permissions, nothing reachable from pages');
    assert.match(m.content_security_policy.extension_pages, /^default-src 'none'; script-src 'self';/);
  });

  test(`${browser}: every file it names is there, and every message`, async () => {
    const m = await manifest(browser);
    const files = [...m.content_scripts[0].js, m.background.service_worker ?? m.background.scripts[0], m.action.default_popup, ...Object.values(m.icons)];
    for (const f of files) assert.ok((await read(`dist/${browser}/${f}`)).length > 0, f);
    const used = [...JSON.stringify(m).matchAll(/__MSG_(\w+)__/g)].map((x) => x[1]);
    const code = await read('src/status/status.ts');
    used.push(...[...code.matchAll(/'((?:status|sites?|action|faces?)[A-Z]\w+)'/g)].map((x) => x[1]).filter((k) => !['siteUnasked', 'siteHeading'].includes(k)));
    for (const lang of ['ru', 'en']) {
      const messages = JSON.parse(await read(`dist/${browser}/_locales/${lang}/messages.json`));
      for (const key of used) assert.ok(messages[key]?.message, `${lang}: ${key}`);
    }
  });

  test(`${browser}: no code from strings`, async () => {
    for (const f of ['content.js', 'background.js', 'status/status.js', 'compat/cades.js', 'compat/rutoken.js']) {
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
  for (const dir of ['src', 'src/compat', 'src/compat/cades', 'src/compat/rutoken', 'src/status', 'sdk', 'demo']) {
    for (const f of (await readdir(path.join(root, dir))).filter((n) => n.endsWith('.ts'))) {
      assert.doesNotMatch(await read(`${dir}/${f}`), /[:<(|,]\s*any\b|\bas any\b|@ts-ignore|@ts-nocheck/, `${dir}/${f}`);
    }
  }
});
