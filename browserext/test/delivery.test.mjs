// SPDX-License-Identifier: GPL-3.0-or-later
// The extension as an organisation hands it out: packed by pack.mjs, put on a server of one's own, installed and updated by the
// machine's policy in Chromium and in Firefox ESR. The browsers judge the packages; the key, which makes Chromium's id, is the test's.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { idOf } from '../crx.mjs';
import { selfHosted } from '../pack.mjs';
import { chromiumProgram, registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { pause, until } from './desktop.mjs';
import { FIREFOX_EXTENSION, firefox, insideFirefox, noFirefox, registerFirefoxHost, startFirefox } from './firefox.mjs';
import { root } from './load.mjs';
import { CHROMIUM_POLICIES, FIREFOX_POLICIES, noPolicy, seeing } from './policy.mjs';

const VERSION = '7.1.0';
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const [key, stranger] = [rsa(), rsa()];
const id = idOf(key);
const page = '<!doctype html><title>p</title><script src="umd/persten.js"></script>';

let shop, portal, shelf;
before(async () => {
  shop = await workshop();
  portal = await serve('sdk', { 'page.html': page });
  shelf = await startShelf();
});
after(async () => {
  for (const s of [shelf, portal, shop]) await s?.end();
});

/** A server of files, which are in files by name; asked holds the names that were asked for. */
async function startShelf() {
  const shelf = { files: {}, asked: [] };
  const types = { '.xml': 'text/xml', '.json': 'application/json', '.crx': 'application/x-chrome-extension', '.xpi': 'application/x-xpinstall' };
  const server = http.createServer((q, a) => {
    const name = new URL(q.url, 'http://x').pathname.slice(1);
    shelf.asked.push(name);
    a.writeHead(shelf.files[name] ? 200 : 404, { 'content-type': types[path.extname(name)] ?? 'text/plain' });
    a.end(shelf.files[name]);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  shelf.base = `http://127.0.0.1:${server.address().port}`;
  shelf.put = async (version, by = key) => { shelf.files = await selfHosted(path.join(root, 'dist'), { base: shelf.base, key: by, over: { version } }); };
  shelf.end = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return shelf;
}

/** Chromium under a policy that forces our extension on it, with its updater running. */
async function governed(name) {
  const etc = path.join(shop.dir, `${name}-etc`);
  mkdirSync(path.join(etc, 'policies/managed'), { recursive: true });
  writeFileSync(path.join(etc, 'policies/managed/persten.json'), JSON.stringify({
    ExtensionInstallForcelist: [`${id};${shelf.base}/update.xml`], DeveloperToolsAvailability: 1, // 1: the test may look into what policy installed
  }));
  const dir = path.join(shop.dir, name);
  mkdirSync(dir);
  await registerHost(dir, `"${process.execPath}" "${path.join(root, 'test/fixtures/host.mjs')}" "${dir}/host.log"`, [`chrome-extension://${id}/`]);
  return startChromium(dir, {
    extension: false, program: seeing(`${dir}/chromium`, etc, CHROMIUM_POLICIES, chromiumProgram),
    without: ['--disable-background-networking', '--disable-component-extensions-with-background-pages'],
  });
}

/** The extension's worker, once the browser has installed it. */
const worker = (browser) => until(() => running(browser), 'the extension');
const running = (browser) => browser.serviceWorkers().find((w) => w.url().startsWith(`chrome-extension://${id}/`));
/** The versions of it in the profile. */
function installed(name) {
  const at = path.join(shop.dir, name, 'profile/Default/Extensions', id);
  return existsSync(at) ? readdirSync(at) : [];
}
const versionIn = (w) => w.evaluate(() => chrome.runtime.getManifest().version);

/** What a page finds: the extension, and the host behind it. */
async function found(browser) {
  const p = await browser.newPage();
  await p.goto(`${portal.origin}/page.html`);
  const { state, transport } = await p.evaluate(() => Persten.detect());
  await p.close();
  return { state, transport };
}

const chromium = { skip: noPolicy(CHROMIUM_POLICIES), timeout: 120_000 };

test('Chromium installs the CRX that policy names, keeps its id and data over an update, and reaches the host', chromium, async () => {
  await shelf.put(VERSION);
  const browser = await governed('forced');
  try {
    const w = await worker(browser);
    assert.equal(await versionIn(w), VERSION);
    assert.deepEqual(installed('forced'), [`${VERSION}_0`]);
    await until(async () => (await found(browser)).state === 'ready', 'the page finds the extension');
    assert.deepEqual(await found(browser), { state: 'ready', transport: 'extension' });
    await w.evaluate(() => chrome.storage.local.set({ kept: 'yes' }));
    await shelf.put('7.2.0');
    const { status } = await w.evaluate(() => chrome.runtime.requestUpdateCheck());
    assert.equal(status, 'update_available');
    await until(() => shelf.asked.includes('persten-7.2.0.crx'), 'the newer package was fetched');
    const after = await until(async () => {
      await running(browser)?.evaluate(() => chrome.runtime.reload()).catch(() => {});
      await pause(1_000);
      const next = running(browser); // there is none while the browser changes the versions
      return next && await versionIn(next).catch(() => '') === '7.2.0' && next;
    }, 'the newer version');
    assert.deepEqual(await after.evaluate(() => chrome.storage.local.get('kept')), { kept: 'yes' });
  } finally {
    await browser.close();
  }
});

test('Chromium installs nothing that another key signed, or that was changed', chromium, async () => {
  for (const [name, spoil] of Object.entries({
    strange: async () => {
      await shelf.put(VERSION, stranger);
      shelf.files['update.xml'] = shelf.files['update.xml'].replace(idOf(stranger), id);
    },
    changed: async () => {
      await shelf.put(VERSION);
      shelf.files['update.xml'] = shelf.files['update.xml'].replace(/ hash_sha256="\w+"/, ''); // the signature alone must tell
      const crx = shelf.files[`persten-${VERSION}.crx`];
      crx[crx.length - 30] ^= 1;
    },
  })) {
    await spoil();
    shelf.asked.length = 0;
    const browser = await governed(name);
    try {
      await until(() => shelf.asked.includes(`persten-${VERSION}.crx`), 'the package was fetched');
      await pause(3_000);
      assert.deepEqual(installed(name), [], name);
    } finally {
      await browser.close();
    }
  }
});

/** Firefox under a policy that installs our extension, lets in what Mozilla did not sign, and keeps all others out. */
async function governedFirefox(name) {
  const policies = path.join(shop.dir, `${name}-policies`);
  mkdirSync(policies);
  writeFileSync(path.join(policies, 'policies.json'), JSON.stringify({ policies: {
    ExtensionSettings: { '*': { installation_mode: 'blocked' }, [FIREFOX_EXTENSION]: { installation_mode: 'force_installed', install_url: `${shelf.base}/persten-${VERSION}.xpi` } },
    Preferences: { 'xpinstall.signatures.required': { Value: false, Status: 'locked' } },
  } }));
  const dir = path.join(shop.dir, name);
  mkdirSync(dir);
  const env = { ...process.env, HOME: path.join(dir, 'home') };
  await registerFirefoxHost(dir, `"${process.execPath}" "${path.join(root, 'test/fixtures/host.mjs')}" "${dir}/host.log"`);
  return startFirefox(dir, {
    extension: false, env, program: seeing(`${dir}/firefox-esr`, policies, FIREFOX_POLICIES, firefox),
    prefs: { 'extensions.checkUpdateSecurity': false }, // the test's server speaks http
  });
}

/** Runs f, which may use addon, inside Firefox; undefined while the extension is not there. */
const inAddons = (browser, f) => insideFirefox(browser, `(async () => {
  const { AddonManager } = ChromeUtils.importESModule('resource://gre/modules/AddonManager.sys.mjs');
  const addon = await AddonManager.getAddonByID(${JSON.stringify(FIREFOX_EXTENSION)});
  return JSON.stringify(addon ? await (${f})(addon, AddonManager) : null);
})()`).then((text) => JSON.parse(text));

/** Has Firefox look for a newer version and install it. Resolves to that version, or to why there is none. */
const update = (browser) => inAddons(browser, (addon, { UPDATE_WHEN_USER_REQUESTED }) => new Promise((resolve) => {
  addon.findUpdates({
    onUpdateAvailable: (_, install) => install.install().then(() => resolve(install.version), () => resolve(`error ${install.error}`)),
    onNoUpdateAvailable: () => resolve('none'),
  }, UPDATE_WHEN_USER_REQUESTED);
}));

const firefoxCase = { skip: noFirefox() || noPolicy(FIREFOX_POLICIES), timeout: 120_000 };

test('Firefox ESR installs the XPI that policy names, and updates it', firefoxCase, async () => {
  await shelf.put(VERSION);
  const browser = await governedFirefox('firefox-forced');
  try {
    const look = () => inAddons(browser, (addon) => ({ version: addon.version, active: addon.isActive, signed: addon.signedState }));
    await until(async () => (await look())?.active, 'the extension');
    assert.deepEqual(await look(), { version: VERSION, active: true, signed: 0 }, 'signed by nobody');
    await until(async () => (await found(browser)).state === 'ready', 'the page finds the extension');
    assert.deepEqual(await found(browser), { state: 'ready', transport: 'extension' });
    await shelf.put('7.2.0');
    assert.equal(await update(browser), '7.2.0');
    await until(async () => (await look())?.version === '7.2.0', 'the newer version');
  } finally {
    await browser.close();
  }
});

test('Firefox ESR takes no update that is not what updates.json says', firefoxCase, async () => {
  await shelf.put(VERSION);
  const browser = await governedFirefox('firefox-changed');
  try {
    await until(async () => (await inAddons(browser, (addon) => addon.isActive)), 'the extension');
    await shelf.put('7.2.0');
    shelf.files['persten-7.2.0.xpi'][40] ^= 1;
    assert.equal(await update(browser), 'error -2', 'ERROR_INCORRECT_HASH');
    assert.equal(await inAddons(browser, (addon) => addon.version), VERSION);
  } finally {
    await browser.close();
  }
});
