// SPDX-License-Identifier: GPL-3.0-or-later
// The recipes of the SDK are run as they are given to portals.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { persten, PIN, perstenDesktop, startAgent } from './agent.mjs';
import { startChromium, workshop } from './chromium.mjs';
import { startDesktop } from './desktop.mjs';
import { root } from './load.mjs';
import { startSite } from './site.mjs';
import { verify, verifyWithOpenSSL } from '../sdk/recipes/server/verify.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

let shop, desktop, portal, agent, browser;

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  portal = await startSite(shop.dir, 'portal.example.test', { pages: { '/readme.html': readmePage() } });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
  browser = await startChromium(shop.dir, { extension: false, hosts: ['portal.example.test'], args: ['--ignore-certificate-errors'], env: agent.env });
  await browser.grantPermissions(['local-network-access'], { origin: portal.origin });
});
after(async () => {
  await browser?.close();
  await agent?.end();
  await portal?.end();
  await desktop?.end();
  await shop?.end();
});

check('ci: the practice token signs in a browser without a desktop, and the server accepts it', () => {
  const env = { ...process.env, PERSTEN: persten, PERSTEN_SDK: path.join(root, 'dist/sdk/umd/persten.js'), CHROMIUM: process.env.CHROMIUM ?? '/usr/bin/chromium' };
  for (const name of ['DISPLAY', 'WAYLAND_DISPLAY', 'NODE_TEST_CONTEXT']) delete env[name];
  const said = execFileSync(process.execPath, ['--test', path.join(root, 'sdk/recipes/ci/sign.test.mjs')], { env, encoding: 'utf8', timeout: 100_000 });
  assert.match(said, /pass 1\b/);
});

check('ci: its pinentry says no to a question of another site', () => {
  const ask = (site) => execFileSync(path.join(root, 'sdk/recipes/ci/pinentry.sh'), {
    env: { PATH: process.env.PATH, PERSTEN_CI_SITE: 'https://portal.example' }, encoding: 'utf8',
    input: `SETDESC Sign for ${site}?\nCONFIRM\nGETPIN\nBYE\n`,
  }).match(/^(OK|ERR|D)/gm).join(' ');
  assert.equal(ask('https://portal.example'), 'OK OK OK D OK OK');
  for (const other of ['https://other.example', 'https://portal.example.other.example', 'https://portal.example:8443']) {
    assert.equal(ask(other), 'OK OK ERR ERR OK', other);
  }
});

/** The example of the README, word for word, on a page that gives it what it names. */
function readmePage() {
  const [, example] = /```js\n(import \{ connect[\s\S]*?)```/.exec(readFileSync(path.join(root, 'sdk/README.md'), 'utf8'));
  assert.ok(example.trimEnd().split('\n').length <= 20, 'the example of the README has at most 20 lines');
  return `<!doctype html><title>p</title><script src="/persten.js"></script><button id="b">Sign</button><input type="file" id="f"><script>
    const port = Number(location.hash.slice(1));
    const { PerstenError } = Persten;
    const connect = (o) => Persten.connect({ ...o, port });
    const say = (words) => { document.title = words; };
    const upload = async (blob) => { window.uploaded = Array.from(new Uint8Array(await blob.arrayBuffer())); document.title = 'uploaded'; };
    const [button, input] = ['b', 'f'].map((id) => document.getElementById(id));
    ${example.replace(/^import .*\n/, '')}</script>`;
}

/** Has a file signed by the README's example, up to the window. */
async function clicked(content) {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/readme.html#${agent.port}`);
  await page.setInputFiles('#f', { name: 'order.txt', mimeType: 'text/plain', buffer: Buffer.from(content) });
  await page.click('#b');
  await desktop.prompt();
  await desktop.shot('readme-asking');
  return page;
}

check("the README's example signs, and the server's recipe tells good from bad", async () => {
  const page = await clicked('Order 7');
  await desktop.insist(PIN);
  await desktop.shot('readme-answered');
  await page.waitForFunction(() => document.title === 'uploaded');
  const signature = Buffer.from(await page.evaluate(() => window.uploaded));
  await page.close();
  await desktop.dismiss();
  const [content, roots] = [Buffer.from('Order 7'), agent.ca];
  const crl = agent.ca.replace('.pem', '.crl');
  const good = await verify(signature, { content, roots, crl, program: persten });
  assert.deepEqual([good.valid, good.signers.length, good.signers[0].indication], [true, 1, 'TOTAL_PASSED']);
  assert.equal(good.signers[0].certificate.name, 'Демонстрационный Подписант');
  assert.equal((await verifyWithOpenSSL(signature, { content, roots })).toString(), 'Order 7');

  const other = Buffer.from('Order 8');
  assert.equal((await verify(signature, { content: other, roots, crl, program: persten })).valid, false);
  await assert.rejects(verifyWithOpenSSL(signature, { content: other, roots }));
  const changed = Buffer.from(signature);
  changed[changed.length - 20] ^= 1;
  assert.equal((await verify(changed, { content, roots, crl, program: persten }).then((r) => r.valid, () => false)), false);
  const stranger = path.join(shop.dir, 'stranger.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', '/dev/null', '-out', stranger, '-days', '2', '-subj', '/CN=Another CA'], { stdio: 'pipe' });
  assert.equal((await verify(signature, { content, roots: stranger, crl, program: persten })).valid, false, 'a signer nobody vouches for');
  await assert.rejects(verifyWithOpenSSL(signature, { content, roots: stranger }));
  await assert.rejects(verify(Buffer.from('no signature'), { content, roots, program: persten }));
  await assert.rejects(verify(signature, { content, roots, program: '/nonexistent' }));
});

check("the README's example says nothing when the person said no, and the advice when something failed", async () => {
  const page = await clicked('Order 7');
  await desktop.dismiss();
  await page.waitForTimeout(500);
  assert.equal(await page.title(), 'p');
  await agent.local('agent.pause', { paused: true });
  await page.click('#b');
  await page.waitForFunction(() => document.title !== 'p');
  assert.match(await page.title(), /Возобновить|Resume/);
  await agent.local('agent.pause', { paused: false });
  await page.close();
});
