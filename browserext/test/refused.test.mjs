// SPDX-License-Identifier: GPL-3.0-or-later
// Five hostile pages against a real session, in each browser and over both ways: an unapproved site, its frame in an approved
// one, pages without an origin, a rebound name, and somebody else's extension. None gets a word out of the agent.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { persten, perstenDesktop, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { serve, workshop } from './chromium.mjs';
import { startDesktop, until } from './desktop.mjs';
import { FIREFOX_EXTENSION, FIREFOX_PAGES, openFirefoxPage } from './firefox.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const unbuilt = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const REBOUND = 'rebind.example';
const FOREIGN = { id: 'foreign@persten.example', uuid: '0d3f7a52-6c18-4b1e-8f9a-5be024117abc' };
const sdk = '<!doctype html><title>p</title><script src="umd/persten.js"></script>';

/** What connecting comes to over both ways, in a page or a frame that has the SDK. */
const refusals = (frame, port) => frame.evaluate((p) => {
  const come = (transport) => Persten.connect({ transport, port: p, retryOrigin: false }).then(() => 'connected', (e) => e.code);
  return Promise.all(['extension', 'websocket'].map(come));
}, port);

/** Opens a WebSocket by hand; resolves to whether it opened. */
const opens = (frame, url) => frame.evaluate((u) => new Promise((resolve) => {
  const s = new WebSocket(u, 'persten.v1');
  s.onopen = () => (s.close(), resolve(true));
  s.onerror = s.onclose = () => resolve(false);
}), url);

const framed = (page, sign) => until(async () => {
  const f = page.frames().find((x) => x !== page.mainFrame() && sign(x.url()));
  return f && (await f.evaluate(() => typeof Persten === 'object').catch(() => false)) && f;
}, 'the frame');

/** Writes an extension that is not ours and asks for the same native host. */
function foreignExtension(dir) {
  mkdirSync(dir);
  writeFileSync(path.join(dir, 'page.html'), '<!doctype html><title>foreign</title>');
  writeFileSync(path.join(dir, 'background.js'), '');
  writeFileSync(path.join(dir, 'manifest.json'), JSON.stringify({
    manifest_version: 3, name: 'foreign', version: '1', permissions: ['nativeMessaging'], browser_specific_settings: { gecko: { id: FOREIGN.id } },
    background: { service_worker: 'background.js', scripts: ['background.js'] },
    content_security_policy: { extension_pages: "script-src 'self'; connect-src ws: wss:" },
  }));
  return dir;
}

/** Opens the foreign extension's page in a browser that has only that one. Chromium makes its id of the folder's name. */
const openForeign = {
  async chromium(browser, dir) {
    const id = createHash('sha256').update(dir).digest('hex').slice(0, 32).replace(/./g, (h) => String.fromCharCode(97 + parseInt(h, 16)));
    const page = await browser.newPage();
    await page.goto(`chrome-extension://${id}/page.html`);
    return page;
  },
  firefox: (browser) => openFirefoxPage(browser, `moz-extension://${FOREIGN.uuid}/page.html`),
};

/** Runs in the foreign extension: asks the host as if it were ours. Resolves to why it was refused, or to what was answered. */
const callHost = ({ origin, extension }) => new Promise((resolve) => {
  const port = chrome.runtime.connectNative('persten.agent');
  port.onMessage.addListener((m) => resolve(`answered: ${JSON.stringify(m)}`));
  port.onDisconnect.addListener((p) => resolve(chrome.runtime.lastError?.message ?? p.error?.message));
  port.postMessage({ ch: '0'.repeat(32), from: { origin, top: origin, frame: '0', extension }, kind: 'open' });
});

for (const [kind, driver] of Object.entries(browsers)) {
  const skip = unbuilt || driver.missing;
  describe(`${driver.name} refuses hostile pages`, () => {
    let shop, desktop, portal, stranger, agent, browser, env;
    let refused = 0;
    const check = (name, f) => test(name, { skip, timeout: 60_000 }, f);
    const hostile = (name, f) => check(name, () => f().then(() => refused++));
    const open = async (url) => {
      const page = await browser.newPage();
      await page.goto(url);
      return page;
    };
    before(async () => {
      if (skip) return;
      shop = await workshop();
      desktop = await startDesktop();
      stranger = await serve('sdk', { 'page.html': sdk });
      portal = await serve('sdk', {
        'page.html': sdk, 'around.html': `${sdk}<iframe src="${stranger.origin}/page.html"></iframe>`,
        'sandbox.html': `${sdk}<iframe sandbox="allow-scripts" src="page.html"></iframe>`,
      });
      agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
      await driver.registerHost(shop.dir, `"${persten}"`);
      env = agent.env;
      browser = await driver.start(shop.dir, { env, hosts: [REBOUND] });
    });
    after(async () => {
      await browser?.close();
      for (const s of [agent, portal, stranger, desktop, shop]) await s?.end();
    });

    check('an approved page connects over both ways', async () => {
      const page = await open(`${portal.origin}/page.html`);
      assert.deepEqual(await refusals(page, agent.port), ['connected', 'connected']);
      assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), true);
      await page.close();
    });

    hostile('1 of 5: a page of a site nobody approved', async () => {
      const page = await open(`${stranger.origin}/page.html`);
      assert.deepEqual(await refusals(page, agent.port), ['origin_not_allowed', 'origin_not_allowed']);
      await page.close();
    });

    hostile('2 of 5: a frame of that site in an approved page', async () => {
      const page = await open(`${portal.origin}/around.html`);
      const frame = await framed(page, (url) => url.startsWith(stranger.origin));
      assert.deepEqual(await refusals(frame, agent.port), ['origin_not_allowed', 'origin_not_allowed']);
      await page.close();
    });

    hostile('3 of 5: pages without an origin: a sandboxed frame of an approved page, and data:', async () => {
      const page = await open(`${portal.origin}/sandbox.html`);
      const frame = await framed(page, (url) => url.endsWith('page.html'));
      assert.equal(await frame.evaluate(() => self.origin), 'null');
      const [native, socket] = await refusals(frame, agent.port);
      assert.equal(native, 'agent_not_installed', 'the extension does not even answer');
      assert.notEqual(socket, 'connected');
      await page.goto('data:text/html,<title>d</title>');
      assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), false);
      await page.close();
    });

    hostile('4 of 5: a name of the attacker that now means this computer', async () => {
      const page = await open(`http://${REBOUND}:${portal.port}/page.html`);
      assert.equal(await opens(page, `ws://${REBOUND}:${agent.port}`), false);
      assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), false);
      const [native, socket] = await refusals(page, agent.port);
      assert.deepEqual([native, socket], ['context_insecure', 'context_insecure']);
      await page.close();
    });

    hostile('5 of 5: an extension that is not ours, by native messaging and by WebSocket', async () => {
      await browser.close();
      const dir = foreignExtension(path.join(shop.dir, 'foreign'));
      const uuids = { [FIREFOX_EXTENSION]: new URL(FIREFOX_PAGES).host, [FOREIGN.id]: FOREIGN.uuid };
      browser = await driver.start(shop.dir, { env, extension: dir, prefs: { 'extensions.webextensions.uuids': JSON.stringify(uuids) } });
      const page = await openForeign[kind](browser, dir);
      const said = await page.evaluate(callHost, { origin: portal.origin, extension: driver.extension });
      assert.match(said, /forbidden|No such native application|does not have permission/);
      assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), false);
    });

    check('5 of 5 refused, and no key was used', async (t) => {
      assert.equal(refused, 5);
      assert.deepEqual((await agent.journal()).filter((r) => r.type === 'begin'), []);
      t.diagnostic(`${driver.name}: ${refused} of 5 refused`);
    });
  });
}
