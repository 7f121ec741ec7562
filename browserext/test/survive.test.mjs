// SPDX-License-Identifier: GPL-3.0-or-later
// What ends under a page in Chromium: the service worker, the host, the extension, the page itself; and hosts and extensions that are
// not the right ones. Each time the call in flight hears of it, a later one works, and nothing is started or signed twice.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { EXTENSION, registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { root } from './load.mjs';
import { standIn, WIRE } from './wire.mjs';

const site = await serve('sdk', { 'page.html': `${WIRE}<script>addEventListener('pageshow', (e) => { window.kept = e.persisted; });</script>`, 'other.html': '<!doctype html><title>other</title>' });
test.after(() => site.end());

/** A browser with the stand-in host and a page, gone after the test. */
async function start(t, options = {}, register = standIn) {
  const shop = await workshop();
  const seen = await register(browsers.chromium, shop.dir);
  const browser = await startChromium(shop.dir, options);
  t.after(async () => {
    await browser.close();
    await shop.end();
  });
  const page = await browser.newPage();
  await page.goto(`${site.origin}/page.html`);
  return { shop, seen, browser, page };
}

/** Leaves a call in flight in the page; resolves to a function that tells how it ended. */
async function inFlight(page) {
  await page.evaluate(async () => {
    const p = await Persten.connect({ transport: 'extension' });
    window.flying = new Promise((resolve) => {
      p.signCms({ text: 'x' }, { certificate: 'c'.repeat(64), note: 'forever', onProgress: () => (window.waiting = true) }).then(() => resolve('signed'), (e) => resolve(e.code));
    });
  });
  await page.waitForFunction(() => window.waiting);
  return () => page.evaluate(() => Promise.race([window.flying, new Promise((resolve) => setTimeout(resolve, 5_000, 'nothing'))]));
}

const connect = (page) => page.evaluate(() => Persten.connect({ transport: 'extension' }).then((p) => p.agent.origin, (e) => e.code));
const signs = (seen) => seen.filter((e) => e.body?.method === 'sign.cms').length;
const options = { timeout: 120_000 };

test('the service worker dies', options, async (t) => {
  const { browser, page, seen } = await start(t);
  const ended = await inFlight(page);
  const cdp = await browser.newCDPSession(page);
  const { targetInfos } = await cdp.send('Target.getTargets');
  const worker = targetInfos.find((i) => i.type === 'service_worker' && i.url.includes(EXTENSION));
  await cdp.send('Target.closeTarget', { targetId: worker.targetId });
  assert.equal(await ended(), 'agent_lost');
  assert.equal(await connect(page), site.origin);
  assert.equal(signs(await seen()), 1, 'the lost call was not sent again');
  assert.equal((await seen()).filter((e) => e.args).length, 2, 'one host for each worker');
});

test('the extension is updated under the page', options, async (t) => {
  const { browser, page, seen } = await start(t);
  const ended = await inFlight(page);
  const worker = browser.serviceWorkers()[0];
  await worker.evaluate(() => void setTimeout(() => chrome.runtime.reload(), 50));
  assert.equal(await ended(), 'agent_lost');
  assert.equal(await connect(page), 'extension_reloaded');
  await until(async () => { // a page that is loaded while the browser reloads an extension gets none
    await pause(2_000);
    await page.reload();
    return await connect(page) === site.origin;
  }, 'the extension to be back in the page');
  assert.equal(signs(await seen()), 1);
});

test('the page goes, is kept for "back" and comes again', options, async (t) => {
  const { page, seen } = await start(t, { without: ['--disable-back-forward-cache'] });
  const ended = await inFlight(page);
  await page.evaluate(() => { location.href = 'other.html'; });
  await page.waitForURL('**/other.html');
  await until(async () => (await seen()).some((e) => e.kind === 'close'), 'the host to hear that the page is gone');
  await page.evaluate(() => void setTimeout(() => history.back(), 10));
  await page.waitForURL('**/page.html', { waitUntil: 'commit' });
  await page.waitForFunction(() => window.kept === true);
  assert.equal(await ended(), 'agent_lost');
  assert.equal(await connect(page), site.origin);
  assert.equal(signs(await seen()), 1);
});

test('a host that dies at once is not started in a loop', options, async (t) => {
  const { shop, page } = await start(t, {}, async (_, dir) => {
    await registerHost(dir, `sh -c 'echo started >> "${dir}/spawns"; exit 1'`);
  });
  const spawns = () => readFileSync(path.join(shop.dir, 'spawns'), 'utf8').split('\n').length - 1;
  const codes = await page.evaluate(async () => {
    const seen = new Set();
    for (const end = Date.now() + 5_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
      await Persten.connect({ transport: 'extension' }).catch((e) => seen.add(e.code));
    }
    return [...seen];
  });
  assert.deepEqual(codes, ['agent_not_running']);
  const count = spawns();
  assert.ok(count >= 2 && count <= 6, `${count} starts in 5 s of asking`);
  await pause(2_000);
  assert.equal(spawns(), count, 'and none when nobody asks');
  t.diagnostic(`asked for 5 s without a pause: ${count} starts of the host`);
});

test('a host of another version: a typed error that says to update', options, async (t) => {
  const { browser, page } = await start(t, {}, async (_, dir) => {
    const script = path.join(dir, 'newer.mjs');
    // Answers every envelope with a kind that this version does not know.
    await writeFile(script, `process.stdin.on('data', (d) => {
      const size = d.readUInt32LE();
      const b = Buffer.from(JSON.stringify({ ch: JSON.parse(d.subarray(4, 4 + size)).ch, kind: 'hello-v2' }));
      const head = Buffer.alloc(4);
      head.writeUInt32LE(b.length);
      process.stdout.write(Buffer.concat([head, b]));
    });`);
    await registerHost(dir, `"${process.execPath}" "${script}"`);
  });
  const told = await page.evaluate(() => Persten.connect({ transport: 'extension', lang: 'ru' }).catch((e) => ({ code: e.code, next: e.advice })));
  assert.equal(told.code, 'protocol_violation');
  assert.match(told.next, /Обновите Persten и его расширение/);
  const popup = await browser.newPage();
  await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
  await popup.waitForSelector('.state.bad');
  assert.match(await popup.textContent('#agent'), /разных версий|of different versions/);
  assert.match(await popup.textContent('#next'), /Обновите|Update Persten/);
});

/** A copy of the built extension without its key, so that the browser gives it another id. */
async function stranger(dir) {
  const at = path.join(dir, 'stranger');
  await cp(path.join(root, 'dist/chrome'), at, { recursive: true });
  const { key, ...manifest } = JSON.parse(await readFile(path.join(at, 'manifest.json'), 'utf8'));
  assert.ok(key);
  await writeFile(path.join(at, 'manifest.json'), JSON.stringify(manifest));
  return at;
}

test('two Persten extensions: the page gets the one the host knows, whichever was loaded first, and one host is started', options, async (t) => {
  const shop = await workshop();
  t.after(() => shop.end());
  const other = await stranger(shop.dir);
  const ours = path.join(root, 'dist/chrome');
  for (const both of [[ours, other], [other, ours]]) {
    const { page, seen } = await start(t, { extension: both.join(',') });
    assert.equal(await connect(page), site.origin);
    assert.deepEqual((await seen()).filter((e) => e.args).map((e) => e.args[0]), [`chrome-extension://${EXTENSION}/`]);
  }
});

test('another extension alone is refused by the browser, and by the host where a manifest lets it in', { ...options, skip: !existsSync(persten) && `NOT RUN: no ${persten}` }, async (t) => {
  const shop = await workshop();
  t.after(() => shop.end());
  const extension = await stranger(shop.dir);
  const closed = await start(t, { extension });
  assert.equal(await connect(closed.page), 'agent_forbidden');
  assert.equal((await closed.seen()).length, 0);
  const wrong = await start(t, { extension, env: { ...process.env, HOME: shop.dir, XDG_RUNTIME_DIR: shop.dir } }, async (_, dir) => {
    await registerHost(dir, `sh -c '"${persten}" "$@"; echo $? >> "${dir}/ended"' host`, [`chrome-extension://${await idOf(extension)}/`]);
  });
  assert.equal(await connect(wrong.page), 'agent_not_running');
  assert.equal((await until(() => existsSync(`${wrong.shop.dir}/ended`) && readFile(`${wrong.shop.dir}/ended`, 'utf8'), 'the host to end')).trim().split('\n')[0], '1');
  assert.ok(!existsSync(path.join(shop.dir, 'persten/session.sock')), 'no session was started for it');
});

/** The id Chromium gives an extension without a key: from its path. */
async function idOf(dir) {
  const { createHash } = await import('node:crypto');
  const hex = createHash('sha256').update(dir).digest('hex').slice(0, 32);
  return [...hex].map((c) => String.fromCharCode(97 + parseInt(c, 16))).join('');
}

test('private windows are off until the person turns them on', options, async (t) => {
  const { browser } = await start(t);
  const worker = browser.serviceWorkers()[0] ?? await browser.waitForEvent('serviceworker');
  assert.equal(await worker.evaluate(() => chrome.extension.isAllowedIncognitoAccess()), false);
});

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));

test('the host is killed while the person is being asked: the call hears it, the window goes, and the next call signs once', {
  ...options, skip: missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first`,
}, async (t) => {
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const shop = await workshop();
  ends.push(shop.end);
  const desktop = await startDesktop();
  ends.push(() => desktop.end());
  const agent = await startAgent(shop.dir, desktop.env, [site.origin]);
  ends.push(() => agent.end());
  await registerHost(shop.dir, `sh -c 'echo $$ >> "${shop.dir}/pids"; exec "${persten}" "$@"' host`);
  const browser = await startChromium(shop.dir, { env: agent.env });
  ends.push(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${site.origin}/page.html`);
  const sign = () => page.evaluate(async () => {
    const p = await Persten.connect({ transport: 'extension' });
    const [certificate] = await p.certificates();
    return p.signCms({ text: 'Договор' }, { certificate }).then((s) => `signed ${s.signature.length > 500}`, (e) => e.code);
  });
  const first = sign();
  await desktop.prompt();
  process.kill(Number((await readFile(path.join(shop.dir, 'pids'), 'utf8')).trim().split('\n').at(-1)), 'SIGKILL');
  assert.equal(await first, 'agent_lost');
  await desktop.gone();
  await pause(500);
  const second = sign();
  await desktop.prompt();
  await desktop.insist(PIN);
  assert.equal(await second, 'signed true');
  await desktop.dismiss();
  const lines = JSON.parse(execFileSync(persten, ['journal', 'list', '--json'], { env: agent.env, encoding: 'utf8' }));
  const kept = lines.map((l) => [l.type, l.kind, l.result ?? '']);
  assert.deepEqual(kept, [['note', 'refused', 'request_cancelled'], ['begin', 'sign', 'ok'], ['end', 'sign', 'ok']], 'the key was used once');
});
