// SPDX-License-Identifier: GPL-3.0-or-later
// Logging in with a certificate: Chromium, a session, the real window typed into, a SoftHSM RSA key and the demonstration token's GOST
// keys. The example server in Go and the verifier of the npm package on Node judge the answers.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { startDesktop, until } from './desktop.mjs';
import { root } from './load.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

const DEMO_PIN = '12345678';
const blank = '<!doctype html><meta charset="utf-8"><title>Портал</title><script src="umd/persten.js"></script>';

let shop, desktop, server, portal, phish, agent, browser, page, sdk;

/** The example server, on a port of its own. Its GOST answers are judged with the demonstration token's root. */
async function startExample() {
  const at = (name) => path.join(shop.dir, name);
  await promisify(execFile)('go', ['build', '-o', at('login'), './browserext/sdk/recipes/login'], { cwd: path.join(root, '..') });
  const options = ['-pages', path.join(root, 'dist/demo'), '-roots', at('ca.pem'), '-persten', persten, '-listen', `127.0.0.1:${await freePort()}`];
  return { options, at };
}

async function freePort() {
  const s = await serve('demo');
  await s.end();
  return s.port;
}

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  [portal, phish] = [await serve('sdk', { 'portal.html': blank }), await serve('sdk', { 'portal.html': blank })];
  const { options, at } = await startExample();
  const origin = `http://${options.at(-1)}`;
  const trust = `[trust]\nroots = [${JSON.stringify(at('ca.pem'))}]\n`;
  agent = await startAgent(shop.dir, desktop.env, [portal.origin, phish.origin, origin], { options: ['--demo-token', at('demo')], config: trust });
  const child = spawn(at('login'), [...options, '--', '--roots', at('demo/ca.pem'), '--crl', at('demo/ca.crl')], { env: agent.env, stdio: ['ignore', 'pipe', 'pipe'] });
  server = { child, origin, said: '' };
  child.stderr.on('data', (d) => (server.said += d));
  await once(child.stdout, 'data');
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env });
  page = await browser.newPage();
  const { LoginVerifier, MemoryNonces } = await import(path.join(root, 'dist/sdk/verify.js'));
  const hooks = await import(path.join(root, 'dist/sdk/verify-node.js'));
  const gost = hooks.persten({ program: persten, args: ['--roots', at('demo/ca.pem'), '--crl', at('demo/ca.crl')], env: agent.env });
  const rsa = hooks.trustedBy([await readFile(at('ca.pem'))]);
  const chain = (c, a) => (a.token.algorithm.startsWith('GOST') ? gost.chain(c, a) : rsa(c));
  sdk = new LoginVerifier({ origin: portal.origin, nonces: new MemoryNonces(), gost: gost.gost, chain });
});

after(async () => {
  await browser?.close();
  server?.child.kill();
  await agent?.end();
  await Promise.all([portal?.end(), phish?.end()]);
  await desktop?.end();
  await shop?.end();
});

const code = (promise) => promise.then(() => 'let in', (e) => e.code ?? e.message);

/** The person logs in. */
async function logIn(pin, shot = 'login') {
  await desktop.answer(/Вход на сайт 127\.0\.0\.1:\d+$/, pin, shot);
  await until(async () => (await desktop.titles()).some((n) => /Вход подтверждён/.test(n)), 'the outcome');
  await desktop.shot(`${shot}-done`);
  await desktop.dismiss();
}

/** Has a page of origin answer nonce by the key of the certificate that which finds. */
async function answer(origin, nonce, which, pin) {
  await page.goto(`${origin}/portal.html`);
  const made = page.evaluate(async ([nonce, which]) => {
    window.persten ??= await Persten.connect({ lang: 'ru' });
    const found = (await window.persten.certificates()).find((c) => c.login && c.algorithm === which);
    return window.persten.login(nonce, { certificate: found, note: 'Личный кабинет' });
  }, [nonce, which]);
  made.catch(() => undefined);
  const early = made.then(() => 'answered', (e) => e.message);
  const asked = logIn(pin).then(() => undefined);
  const first = await Promise.race([asked, early]);
  await (first?.includes('Error') ? Promise.reject(new Error(first)) : asked);
  return made;
}

/** Posts to the example server as its own page does. */
async function post(where, body, cookie) {
  const headers = { origin: server.origin, 'content-type': 'application/json', ...(cookie && { cookie }) };
  const r = await fetch(`${server.origin}${where}`, { method: 'POST', headers, body: JSON.stringify(body ?? null) });
  return { status: r.status, cookie: r.headers.get('set-cookie')?.split(';')[0], ...await r.json() };
}

for (const [name, algorithm, pin] of [['an RSA key of SoftHSM', 'rsa-sha256', PIN], ['a GOST key of the demonstration token', 'gost2012-256', DEMO_PIN]]) {
  check(`${name}: judged on Node, once, for its site and session`, async () => {
    const token = await answer(portal.origin, await sdk.challenge('mine'), algorithm, pin);
    assert.equal(await code(sdk.verify(token, 'another')), 'nonce_unknown');
    assert.deepEqual(Object.keys(token).sort(), ['algorithm', 'appVersion', 'format', 'signature', 'unverifiedCertificate']);
    const { certificate } = await sdk.verify(token, 'mine');
    assert.match(certificate.subject.commonName, /Демонстрационный Подписант/);
    assert.equal(await code(sdk.verify(token, 'mine')), 'nonce_unknown', 'a replay');
    await sdk.challenge('mine');
    assert.equal(await code(sdk.verify(token, 'mine')), 'login_mismatch', 'for another challenge');
  });

  check(`${name}: judged by the server in Go, on the example portal; a relay and a replay are refused`, async () => {
    const { nonce, cookie } = await post('/login/challenge');
    const relayed = await answer(phish.origin, nonce, algorithm, pin); // a page that looks like the portal got the portal's challenge
    assert.deepEqual(await post('/login', relayed, cookie), { status: 403, cookie: undefined, error: 'login_mismatch' });
    const index = await page.evaluate(async (which) => (await window.persten.certificates()).filter((c) => c.login).findIndex((c) => c.algorithm === which), algorithm);
    await page.goto(`${server.origin}/login.html?lang=ru`);
    await page.click('#login');
    await desktop.choose(index, 'select');
    await logIn(pin, `login-${algorithm}`);
    await page.waitForSelector('#result:not([hidden])');
    assert.match(await page.textContent('#result'), /Демонстрационный Подписант.*Ответ проверил сервер портала/s);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/login-page.png` });
    const [session] = await browser.cookies(server.origin);
    const replay = await post('/login', JSON.parse(await page.inputValue('#token')), `${session.name}=${session.value}`);
    assert.equal(replay.error, 'nonce_unknown', server.said);
  });
}

check('persten judges answer and certificate apart: a right answer by a certificate for mail is no wrong answer', async () => {
  const at = (name) => path.join(shop.dir, name);
  const { persten: by } = await import(path.join(root, 'dist/sdk/verify-node.js'));
  const { gost, chain } = by({ program: persten, args: ['--roots', at('ca.pem'), '--crl', at('ca.crl'), '--offline'], env: agent.env });
  const key = createPrivateKey(await readFile(at('leaf.key')));
  const origin = portal.origin;
  const nonce = await sdk.challenge('mail');
  const digest = (text) => createHash('sha256').update(text).digest();
  const signature = sign('sha256', Buffer.concat([digest(origin), digest(nonce)]), key).toString('base64');
  for (const [usage, good] of [['clientAuth', true], ['emailProtection', false]]) {
    await writeFile(at('use.ext'), `keyUsage=digitalSignature\nextendedKeyUsage=${usage}\n`);
    await promisify(execFile)('openssl', ['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '3', '-extfile', 'use.ext', '-outform', 'DER', '-out', 'use.der'], { cwd: shop.dir });
    const token = { unverifiedCertificate: (await readFile(at('use.der'))).toString('base64'), algorithm: 'RS256', signature, format: 'web-eid:1.0', appVersion: 'test' };
    const answer = { token, origin, nonce };
    assert.deepEqual([await gost(answer), await chain(undefined, answer)], [true, good], usage);
    const relayed = { ...answer, origin: phish.origin };
    assert.deepEqual([await gost(relayed), await chain(undefined, relayed)], [false, false], usage);
  }
});

check('a relay is refused on Node too, and so is a page that names another origin', async () => {
  const relayed = await answer(phish.origin, await sdk.challenge('mine'), 'rsa-sha256', PIN);
  assert.equal(await code(sdk.verify(relayed, 'mine')), 'login_mismatch');
  const refused = await page.evaluate((nonce) => window.persten.call('auth.respond', { nonce, origin: 'https://bank.example' }).then(() => 'answered', (e) => `${e.code} ${e.args.field}`), await sdk.challenge('mine'));
  assert.equal(refused, 'request_invalid origin');
});

check('a person who does not log in; the journal has a line of each decision', async () => {
  await page.goto(`${portal.origin}/portal.html`);
  const ask = (more) => page.evaluate(async ([nonce, more]) => {
    window.persten ??= await Persten.connect({ lang: 'ru' });
    return window.persten.login(nonce, more).then(() => 'answered', (e) => e.code);
  }, [Buffer.alloc(32, 1).toString('base64'), more]);
  const certificate = await page.evaluate(async () => (await (window.persten ??= await Persten.connect({ lang: 'ru' })).certificates()).find((c) => c.login).id);
  for (const [more, title] of [[{}, /Выберите сертификат/], [{ certificate }, /Вход на сайт/]]) {
    const asked = ask(more);
    await desktop.titled(title);
    await desktop.dismiss();
    assert.equal(await asked, 'user_rejected');
  }
  const records = JSON.parse((await agent.command('journal', 'list', '--json')).stdout);
  const login = records.filter((r) => r.kind === 'login');
  assert.ok(login.length > 0);
  assert.equal(login.filter((r) => r.type === 'begin').length, login.filter((r) => r.type === 'end' && r.result === 'ok').length);
  assert.ok(login.filter((r) => r.type === 'begin').every((r) => r.approval && r.origin.startsWith('http://127.0.0.1:')));
  assert.deepEqual(records.slice(-2).map((r) => `${r.kind} ${r.result}`), ['refused user_rejected', 'refused user_rejected']);
});

check('a login page for somebody without a server judges by itself', async () => {
  const demo = await serve('demo');
  try {
    await agent.command('origins', 'allow', demo.origin);
    await page.goto(`${demo.origin}/login.html?lang=en`);
    await page.click('#login');
    await desktop.titled(/certificate|сертификат/i);
    await desktop.dismiss();
    await page.waitForSelector('#error:not([hidden])');
    assert.match(await page.textContent('#error'), /You declined/);
  } finally {
    await desktop.dismiss();
    await demo.end();
  }
});
