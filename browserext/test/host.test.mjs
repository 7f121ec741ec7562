// SPDX-License-Identifier: GPL-3.0-or-later
// The real browser and the real extension against a stand-in native host: everything before the agent.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { chromiumProgram, EXTENSION, registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { root } from './load.mjs';
import { uninstalled } from './policy.mjs';

let shop, site, browser, log;

before(async () => {
  shop = await workshop();
  log = path.join(shop.dir, 'host.log');
  await registerHost(shop.dir, `"${process.execPath}" "${path.join(root, 'test/fixtures/host.mjs')}" "${log}"`);
  site = await serve('sdk', {
    'page.html': '<!doctype html><title>p</title><script src="umd/persten.js"></script>',
    'frame.html': '<!doctype html><title>f</title><iframe src="page.html"></iframe><iframe sandbox="allow-scripts" src="page.html"></iframe>',
  });
  browser = await startChromium(shop.dir);
});
after(async () => {
  await browser?.close();
  await site?.end();
  await shop?.end();
});

const seen = async () => (await readFile(log, 'utf8')).trim().split('\n').map((l) => JSON.parse(l));

async function openPage(at = 'page.html') {
  const page = await browser.newPage();
  await page.goto(`${site.origin}/${at}`);
  return page;
}

/** Waits until f answers something true. */
async function until(f, what) {
  for (let i = 0; i < 100; i++) {
    if (await f()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`timed out: ${what}`);
}

test('page, content script, worker and host: there and back, with the browser naming the caller', async () => {
  const page = await openPage();
  const found = await page.evaluate(async () => {
    const { state, transport } = await Persten.detect();
    const p = await Persten.connect({ client: 'test' });
    const steps = [];
    const s = await p.signCms({ text: 'Привет' }, { certificate: (await p.certificates())[0], onProgress: (x) => steps.push(x) });
    return { detected: { state, transport }, transport: p.transport, origin: p.agent.origin, signed: new TextDecoder().decode(s.signature), steps };
  });
  assert.deepEqual(found, { detected: { state: 'ready', transport: 'extension' }, transport: 'extension', origin: site.origin, signed: 'signed:Привет', steps: ['waiting'] });
  const [start, open] = await seen();
  assert.equal(start.args[0], `chrome-extension://${EXTENSION}/`);
  assert.deepEqual(open.from, { origin: site.origin, top: site.origin, frame: '0', extension: EXTENSION });
  await page.close();
});

test('5 MiB go in pieces and come back in parts', async () => {
  const page = await openPage();
  const same = await page.evaluate(async () => {
    const p = await Persten.connect();
    const bytes = new Uint8Array(5 * 1024 * 1024).map((_, i) => (i * 31) ^ (i >> 8));
    const s = await p.signCms(bytes, { certificate: 'c'.repeat(64), name: 'a.bin' });
    return s.signature.length === bytes.length + 7 && s.signature.subarray(7).every((b, i) => b === bytes[i]);
  });
  assert.equal(same, true);
  const pieces = (await seen()).filter((e) => e.body?.method === 'content.append').length;
  assert.equal(pieces, 11);
  await page.close();
});

test('errors, aborts and a closed tab reach the right side', async () => {
  const page = await openPage();
  const got = await page.evaluate(async () => {
    const p = await Persten.connect();
    const certificate = 'c'.repeat(64);
    const told = await p.signCms({ text: 'x' }, { certificate, note: 'reject' }).catch((e) => [e instanceof Persten.PerstenError, e.code, e.advice]);
    const stop = new AbortController();
    const aborted = await p.signCms({ text: 'x' }, { certificate, note: 'forever', signal: stop.signal, onProgress: () => stop.abort() }).catch((e) => e.name);
    return { told, aborted };
  });
  assert.deepEqual(got, { told: [true, 'user_rejected', 'Повторите.'], aborted: 'AbortError' });
  await until(async () => (await seen()).some((e) => e.body?.method === '$/cancel'), 'cancel');
  const { ch } = (await seen()).filter((e) => e.kind === 'open').at(-1);
  await page.close();
  await until(async () => (await seen()).some((e) => e.kind === 'close' && e.ch === ch), 'close of the tab');
});

test('the demo portal: the language asked for is kept, the practice PIN is told, an error says what to do', async () => {
  const demo = await serve('demo');
  const page = await browser.newPage();
  const open = async (query) => {
    await page.goto(`${demo.origin}/${query}`);
    await page.waitForSelector('.card input:enabled');
    return [await page.evaluate(() => document.documentElement.lang), await page.textContent('.card:has(:checked) .pin')];
  };
  const [ru, en] = [['ru', 'PIN-код учебного токена: 12345678'], ['en', 'PIN of the practice token: 12345678']];
  assert.deepEqual(await open('?lang=en'), en);
  assert.deepEqual(await open(''), en, 'remembered');
  await page.click('[data-lang="ru"]');
  assert.match(page.url(), /lang=ru/, 'a reload keeps the choice');
  assert.deepEqual(await open(''), ru);
  await page.fill('#text', '');
  await page.click('#sign');
  assert.deepEqual([await page.textContent('#errorWhat'), await page.textContent('#errorNext')], ['Документ пуст.', 'Введите текст или выберите файл.']);
  await page.close();
  await demo.end();
});

test('a host that dies is told apart and started again', async () => {
  const page = await openPage();
  const got = await page.evaluate(async () => {
    const p = await Persten.connect();
    const died = await p.signCms({ text: 'x' }, { certificate: 'c'.repeat(64), note: 'die' }).catch((e) => e.code);
    await new Promise((resolve) => setTimeout(resolve, 600));
    return { died, again: (await p.certificates()).length };
  });
  assert.deepEqual(got, { died: 'agent_lost', again: 2 });
  await page.close();
});

test('without a host the page hears that Persten is not installed', async () => {
  const bare = await workshop();
  const other = await startChromium(bare.dir, { program: uninstalled(bare.dir, chromiumProgram) });
  try {
    const page = await other.newPage();
    await page.goto(`${site.origin}/page.html`);
    assert.equal(await page.evaluate(() => Persten.connect({ transport: 'extension' }).catch((e) => e.code)), 'agent_not_installed');
    const popup = await other.newPage();
    await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
    await popup.waitForSelector('.state.bad');
    assert.match(await popup.textContent('#agent'), /не установлен|not installed/);
  } finally {
    await other.close();
    await bare.end();
  }
});

test('a host that is not for this extension is forbidden', async () => {
  const bare = await workshop();
  await registerHost(bare.dir, '/bin/true', [`chrome-extension://${'a'.repeat(32)}/`]);
  const other = await startChromium(bare.dir);
  try {
    const page = await other.newPage();
    await page.goto(`${site.origin}/page.html`);
    assert.equal(await page.evaluate(() => Persten.connect({ transport: 'extension' }).catch((e) => e.code)), 'agent_forbidden');
  } finally {
    await other.close();
    await bare.end();
  }
});
