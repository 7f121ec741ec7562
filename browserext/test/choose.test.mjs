// SPDX-License-Identifier: GPL-3.0-or-later
// Certificates that are not at hand: Chromium with the extension, a session, a SoftHSM token that appears later, the demonstration
// token's keys, and a person at the real window. OpenSSL judges what comes back.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

const text = 'Договор, который подпишут, когда найдут токен.';
const blank = '<!doctype html><meta charset="utf-8"><title>Портал</title><script src="umd/persten.js"></script>';

let shop, desktop, portal, agent, browser, page, id;

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  portal = await serve('sdk', { 'portal.html': blank });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin], { options: ['--demo-token', path.join(shop.dir, 'demo')] });
  const listed = JSON.parse((await agent.command('certs', '--json')).stdout);
  ({ id } = listed.certificates.find((c) => c.token.label === 'browser-test'));
  await agent.end();
  pull();
  await agent.start();
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env });
  page = await browser.newPage();
  await page.goto(`${portal.origin}/portal.html`);
  await page.evaluate(async () => {
    window.persten = await Persten.connect({ lang: 'ru' });
  });
});

after(async () => {
  await browser?.close();
  await agent?.end();
  await portal?.end();
  await desktop?.end();
  await shop?.end();
});

const at = (name) => path.join(shop.dir, name);
const pull = () => renameSync(at('tokens'), at('drawer'));

/** Puts the token back. SoftHSM looks for tokens when it is loaded, so the process that holds it is ended, as if it had crashed. */
function plug() {
  renameSync(at('drawer'), at('tokens'));
  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const parent = Number(/^.*\) \w (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))[1]);
      if (parent === agent.session.pid && /\0module\0.*softhsm/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))) process.kill(Number(pid), 'SIGKILL');
    } catch { /* it has ended by itself */ }
  }
}

/** Starts a signature in the page; steps and the result are asked for later. */
const begin = () => page.evaluate(([text, id]) => {
  window.steps = [];
  window.made = persten.signCms({ text }, { certificate: id, name: 'Договор.txt', onProgress: (s) => steps.push(s) })
    .then((r) => ({ signature: Array.from(r.signature), certificate: r.certificate }), (e) => ({ code: e.code }));
}, [text, id]);
const made = () => page.evaluate(() => window.made);
const steps = () => page.evaluate(() => window.steps);
const waits = () => until(async () => (await steps()).includes('insert'), 'the wait for the token');

check('what was seen is kept for this user alone and can be listed', async () => {
  assert.equal(statSync(at('state/persten/known.json')).mode & 0o777, 0o600);
  const { stdout } = await agent.command('certs', 'known');
  assert.match(stdout, new RegExp(`${id}[\\s\\S]*browser-test, serial number [0-9a-f]{16}`));
});

check('the person cannot find the token and gives up', async () => {
  await begin();
  await desktop.titled(/Подписать документ/);
  await desktop.shot('insert-asked');
  await desktop.agree(async () => (await steps()).includes('insert'));
  await waits();
  await pause(1_000);
  await desktop.reject();
  assert.equal((await made()).code, 'user_rejected');
  await desktop.dismiss();
});

check('a token that appears later signs, by the certificate that was approved', async () => {
  await begin();
  await desktop.titled(/Подписать документ/);
  await desktop.agree(async () => (await steps()).includes('insert'));
  await waits();
  await desktop.shot('insert-waits');
  await pause(1_000);
  assert.deepEqual((await steps()).filter((s) => s !== 'waiting'), ['insert']);
  plug();
  await until(async () => (await steps()).includes('token'), 'the token to be found');
  await pause(1_500);
  await desktop.shot('insert-pin');
  await desktop.insist(PIN);
  const result = await made();
  assert.equal(result.certificate, id, JSON.stringify(result));
  await agent.opensslVerify(Buffer.from(result.signature), text);
  await desktop.dismiss();
  const last = (await agent.journal()).slice(-2);
  assert.deepEqual([last.map((r) => r.type), last[1].result], [['begin', 'end'], 'ok']);
});

/** Asks for a certificate; resolves to it or to the error. */
const select = (filter) => page.evaluate((filter) => {
  window.made = persten.selectCertificate({ filter }).then((c) => ({ id: c.id, name: c.name, inn: c.inn }), (e) => ({ code: e.code, args: e.args }));
}, filter);

check('none fits: the person sees why, the page gets codes', async () => {
  await select({ inn: '500100732259', issuer: 'нет такого' });
  await desktop.titled(/Нет подходящего сертификата/);
  await desktop.shot('none-fits');
  await desktop.dismiss('Return');
  assert.deepEqual(await made(), { code: 'certificate_none', args: { reasons: 'filter_inn' } });
  await desktop.gone();
});

check('several fit: the last choice of the site is marked and confirmed by the person', async () => {
  await select({});
  await desktop.choose(1);
  const first = await made();
  assert.ok(first.id, JSON.stringify(first));
  await desktop.gone();
  await select({});
  await desktop.titled(/Выберите сертификат/);
  await desktop.shot('last-choice');
  await desktop.dismiss('Return');
  assert.equal((await made()).id, first.id);
  await desktop.gone();
});

check('hostile filters are refused before anybody is asked', async () => {
  const hostile = [{ inn: '1' }, { inn: '12345678901\n' }, { holders: ['king'] }, { issuer: 'a\u202eb' }, { issuer: 'x'.repeat(201) }, { eku: ['1..2'] }, { eku: Array(17).fill('1.2') }, { pin: '1234' }, { innle: '77070838930' }];
  for (const filter of hostile) {
    await select(filter);
    assert.match((await made()).code, /^request_(invalid|secret)$/, JSON.stringify(filter));
  }
  assert.deepEqual(await desktop.windows(), []);
});
