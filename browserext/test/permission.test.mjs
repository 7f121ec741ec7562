// SPDX-License-Identifier: GPL-3.0-or-later
// The permission a public page needs in Chromium before it may open a WebSocket to this computer: given and refused by a real
// click on the browser's own question, and given by the machine's policy. With a real session.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { persten, perstenDesktop, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { chromiumProgram, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { CHROMIUM_POLICIES, noPolicy, seeing } from './policy.mjs';
import { startSite } from './site.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const [SITE, OTHER] = ['portal.example.test', 'other.example.test'];
const page = '<!doctype html><title>p</title><button id="go">Connect</button><script src="persten.js"></script>';
/** Of the buttons of Chromium's question, and above them the bar of tabs, which has the same. */
const [BLUE, BELOW_TABS] = [0xd3e3fd, 100];

let shop, desktop, site, other, agent;
before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  site = await startSite(shop.dir, SITE, { pages: { '/': page } });
  other = `https://${OTHER}:${site.port}`;
  agent = await startAgent(shop.dir, desktop.env, [site.origin]);
});
after(async () => {
  for (const s of [agent, site, desktop, shop]) await s?.end();
});

const start = (name, o) => browsers.chromium.start(path.join(shop.dir, name), { env: agent.env, extension: false, hosts: [SITE, OTHER], publicPort: site.port, ...o });

async function open(browser, origin) {
  const p = await browser.newPage();
  await p.goto(origin);
  return p;
}

const state = (p) => p.evaluate(async () => (await navigator.permissions.query({ name: 'loopback-network' })).state);

/** Connects, by a click unless told otherwise. What came of it is in window.came: the certificates found, or an error. */
const connect = (p, click) => p.evaluate(({ port, wait }) => {
  const go = () => Persten.connect({ port, transport: 'websocket', retryOrigin: false }).then((x) => x.certificates())
    .then((list) => { window.came = list.length; }, (e) => { window.came = e.code; });
  if (wait) document.getElementById('go').onclick = go;
  else void go();
}, { port: agent.port, wait: click }).then(() => click && p.click('#go'));
const came = (p) => until(() => p.evaluate(() => window.came), 'what came of connecting');

test('Chromium on a screen asks the person, and a real click blocks or allows', { skip, timeout: 90_000 }, async () => {
  const browser = await start('asking', { headless: false, args: ['--window-position=0,0'] });
  try {
    for (const [origin, button, result, after] of [[other, 0, 'browser_permission', 'denied'], [site.origin, 1, 1, 'granted']]) {
      const p = await open(browser, origin);
      assert.equal(await state(p), 'prompt');
      await connect(p, true);
      const buttons = await until(async () => {
        const found = await desktop.buttons(BLUE, BELOW_TABS);
        return found.length === 2 && found;
      }, 'the two buttons of the question');
      await pause(1_000); // they are dead at first, so that nobody presses by accident
      await desktop.shot(`permission-${after}`);
      await desktop.click(buttons[button]);
      assert.equal(await came(p), result);
      assert.equal(await state(p), after);
      await p.close();
    }
  } finally {
    await browser.close();
  }
});

test('Chromium under the policy LoopbackNetworkAllowedForUrls asks nobody, and only for that site', { skip: skip || noPolicy(CHROMIUM_POLICIES), timeout: 60_000 }, async () => {
  const etc = path.join(shop.dir, 'etc');
  mkdirSync(path.join(etc, 'policies/managed'), { recursive: true });
  writeFileSync(path.join(etc, 'policies/managed/persten.json'), JSON.stringify({ LoopbackNetworkAllowedForUrls: [site.origin] }));
  const program = seeing(path.join(shop.dir, 'chromium'), etc, CHROMIUM_POLICIES, chromiumProgram);
  const browser = await start('governed', { program });
  try {
    const p = await open(browser, site.origin);
    assert.equal(await state(p), 'granted');
    await connect(p, false);
    assert.equal(await came(p), 1, 'without a click, for nothing is asked');
    const q = await open(browser, other);
    assert.equal(await state(q), 'prompt');
    await connect(q, true);
    assert.equal(await came(q), 'browser_permission');
  } finally {
    await browser.close();
  }
});
