// SPDX-License-Identifier: GPL-3.0-or-later
// The second transport in the real browser, from a page the browser takes for a public one: what Local Network Access does,
// and whether the SDK tells the ways of not being there apart.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { startChromium, workshop } from './chromium.mjs';
import { startWebSocketAgent } from './fixtures/websocket.mjs';
import { startSite } from './site.mjs';

let shop, site, origin, agent, deaf, browser;

const page = '<!doctype html><title>p</title><button id="b">Connect</button><script src="persten.js"></script><script src="page.js"></script>';
const script = `const [port, onload] = location.hash.slice(1).split(',');
  const go = () => Persten.connect({ port: Number(port), retryOrigin: false })
    .then((x) => { document.title = x.transport; }, (e) => { document.title = e.code; });
  if (onload) go(); else document.getElementById('b').onclick = go;`;

before(async () => {
  shop = await workshop();
  site = await startSite(shop.dir, 'portal.example.test', {
    pages: { '/': page, '/strict.html': page, '/page.js': script },
    headers: { '/strict.html': { 'content-security-policy': "connect-src 'self'" } },
  });
  ({ origin } = site);
  agent = await startWebSocketAgent(origin);
  deaf = await startWebSocketAgent('https://somebody.else');
  browser = await startChromium(shop.dir, {
    extension: false,
    args: ['--ignore-certificate-errors'], hosts: ['portal.example.test'], publicPort: site.port,
  });
});
after(async () => {
  await browser?.close();
  for (const s of [agent, deaf]) await s?.end();
  await site?.end();
  await shop?.end();
});

/** What connect comes to on a page of the site: after a click, or by itself when the page loads. */
async function outcome(port, { click = true, at = '/' } = {}) {
  const page = await browser.newPage();
  await page.goto(`${origin}${at}#${port}${click ? '' : ',load'}`);
  if (click) await page.click('#b');
  await page.waitForFunction(() => document.title !== 'p');
  const got = await page.title();
  await page.close();
  return got;
}

const detected = async (port) => {
  const page = await browser.newPage();
  await page.goto(origin);
  const { state, code, transport, permission } = await page.evaluate((p) => Persten.detect({ port: p }), port);
  await page.close();
  return [state, code, transport, permission];
};

test('before the permission: detect asks nothing, connect wants a click, and a refusal is named', async () => {
  assert.deepEqual(await detected(agent.port), ['blocked_by_browser', 'browser_permission_needed', 'websocket', 'prompt']);
  assert.equal(await outcome(agent.port, { click: false }), 'browser_permission_needed');
  assert.equal(await outcome(agent.port), 'browser_permission', 'without a screen Chromium refuses by itself');
});

test('with the permission: connected, or why not', async () => {
  await browser.grantPermissions(['local-network-access'], { origin });
  assert.deepEqual(await detected(agent.port), ['ready', 'ready', 'websocket', undefined]);
  assert.equal(await outcome(agent.port), 'websocket');
  assert.equal(await outcome(agent.port, { click: false }), 'websocket', 'a permission once given needs no click');
  assert.equal(await outcome(deaf.port), 'origin_not_allowed');
  assert.equal(await outcome(agent.port, { at: '/strict.html' }), 'page_policy');
  const gone = await startWebSocketAgent(origin);
  await gone.end();
  assert.equal(await outcome(gone.port), 'agent_not_running');
  assert.deepEqual(await detected(gone.port), ['agent_not_running', 'agent_not_running', 'websocket', undefined]);
});

test('3 MiB there and back', async () => {
  const page = await browser.newPage();
  await page.goto(origin);
  const same = await page.evaluate(async (port) => {
    const p = await Persten.connect({ port });
    const bytes = new Uint8Array(3 << 20).map((_, i) => (i * 37) ^ (i >> 9));
    const s = await p.signCms(bytes, { certificate: 'c'.repeat(64) });
    return s.signature.length === bytes.length + 7 && s.signature.subarray(7).every((b, i) => b === bytes[i]);
  }, agent.port);
  assert.equal(same, true);
  await page.close();
});
