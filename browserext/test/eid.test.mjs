// SPDX-License-Identifier: GPL-3.0-or-later
// Portals written for Web eID and for hwcrypto.js: Chromium with the extension, a session, the real window typed into, a SoftHSM RSA key and
// the demonstration token's keys. Node and OpenSSL judge what comes back. WEBEID_LIBRARY names a bundle of web-eid.js (iife) to run as
// well; it is not on npm.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { permitted, registerHost, startChromium, turnOn, workshop } from './chromium.mjs';
import { pause, startDesktop } from './desktop.mjs';
import { root } from './load.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const library = process.env.WEBEID_LIBRARY;
const check = (name, f, more = skip) => test(name, { skip: more, timeout: 120_000 }, f);

const DEMO_PIN = '12345678';

/** A page that speaks Web eID's messages as its library does, and keeps all it hears. */
const webeid = `<!doctype html><meta charset="utf-8"><title>Портал Web eID</title><script>
  window.heard = [];
  window.addEventListener('message', (e) => heard.push({ at: performance.now(), ...e.data }));
  window.ask = (action, more, within = 100_000) => new Promise((resolve) => {
    const begin = performance.now();
    const end = (e) => {
      const m = e.data;
      if (m.action !== action + '-success' && m.action !== action + '-failure') return;
      window.removeEventListener('message', end);
      const ack = heard.find((h) => h.action === action + '-ack' && h.at >= begin);
      resolve({ ...m, ack: ack && ack.at - begin });
    };
    window.addEventListener('message', end);
    setTimeout(() => resolve({ action: 'silence' }), within);
    window.postMessage({ action, libraryVersion: '2.1.0-beta.2', ...more }, '*');
  });
</script>`;

let shop, desktop, portal, agent, browser, page, verifier, keys;

/** Serves pages over https with a certificate of its own making, on 127.0.0.1. */
async function serveSecure(dir, pages) {
  const file = (name) => path.join(dir, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('web.key'), '-out', file('web.pem'), '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'pipe' });
  const server = https.createServer({ key: readFileSync(file('web.key')), cert: readFileSync(file('web.pem')) }, (q, a) => {
    const body = pages[q.url.slice(1)];
    a.writeHead(body === undefined ? 404 : 200, { 'content-type': q.url.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8' });
    a.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `https://127.0.0.1:${server.address().port}`, end: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) };
}

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  const hwcrypto = await readFile(path.join(root, 'node_modules/hwcrypto-js/hwcrypto.js'), 'utf8');
  portal = await serveSecure(shop.dir, {
    'webeid.html': webeid, 'hwcrypto.js': hwcrypto, 'library.js': library ? readFileSync(library, 'utf8') : '',
    'hwcrypto.html': '<!doctype html><meta charset="utf-8"><title>Портал hwcrypto</title><script src="hwcrypto.js"></script>',
    'library.html': '<!doctype html><meta charset="utf-8"><title>Портал с библиотекой</title><script src="library.js"></script>',
    'real.html': '<!doctype html><meta charset="utf-8"><title>Другое расширение</title><script>window.TokenSigning = class { getVersion() { return Promise.resolve("real"); } }</script><script src="hwcrypto.js"></script>',
  });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin], {
    options: ['--demo-token', path.join(shop.dir, 'demo')], config: `[trust]\nroots = [${JSON.stringify(path.join(shop.dir, 'ca.pem'))}]\n`,
  });
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env, extension: await permitted(shop.dir), args: ['--ignore-certificate-errors'] });
  for (const face of ['webeid', 'hwcrypto']) await turnOn(browser, portal.origin, face);
  page = await browser.newPage();
  const { LoginVerifier, MemoryNonces } = await import(path.join(root, 'dist/sdk/verify.js'));
  const { trustedBy } = await import(path.join(root, 'dist/sdk/verify-node.js'));
  const roots = [await readFile(path.join(shop.dir, 'ca.pem')), await readFile(path.join(shop.dir, 'demo/ca.pem'))];
  verifier = new LoginVerifier({ origin: portal.origin, nonces: new MemoryNonces(), chain: trustedBy(roots.slice(0, 1)) });
  const list = JSON.parse((await agent.command('certs', '--json')).stdout);
  keys = (list.certificates ?? list).filter((c) => c.usable);
});

after(async () => {
  await browser?.close();
  await agent?.end();
  await portal?.end();
  await desktop?.end();
  await shop?.end();
});

/** The person chooses the certificate whose key signs with this algorithm. */
const choose = (algorithm) => desktop.choose(keys.findIndex((c) => c.algorithm === algorithm), 'eid-chosen');

/** The person answers the window with this title by a PIN. */
const enter = (title, pin, shot) => desktop.answer(title, pin, shot);

/** Runs what the page asks for while the person acts. */
async function during(asked, act) {
  const heard = asked.then((v) => JSON.stringify(v), String);
  await act().catch(async (e) => assert.fail(`${e.message}; the page heard ${await Promise.race([heard, pause(100)])}`));
  const result = await asked;
  await desktop.dismiss();
  return result;
}

const ask = (action, more) => page.evaluate(([action, more]) => window.ask(`web-eid:${action}`, more), [action, more]);
const algorithm = (cryptoAlgorithm, hashFunction, paddingScheme) => ({ cryptoAlgorithm, hashFunction, paddingScheme });

check('Web eID: status within a second', async () => {
  await page.goto(`${portal.origin}/webeid.html`);
  const found = await ask('status');
  assert.equal(found.action, 'web-eid:status-success');
  assert.ok(found.ack < 1000, `${found.ack} ms`);
  assert.equal(found.library, '2.1.0-beta.2');
  for (const name of ['extension', 'nativeApp']) assert.match(found[name], /^2\.\d+\.\d+(\+[0-9A-Za-z.-]+)?$/);
});

check('Web eID: authenticate, judged on Node, and refused as a replay', async () => {
  const challengeNonce = await verifier.challenge('mine');
  const made = await during(ask('authenticate', { challengeNonce, options: { lang: 'ru' } }), async () => {
    await choose('rsa-sha256');
    await enter(/Вход на сайт 127/, PIN, 'eid-login');
  });
  assert.equal(made.action, 'web-eid:authenticate-success');
  const { ack, action, ...token } = made;
  const { certificate } = await verifier.verify(token, 'mine');
  assert.equal(certificate.subject.commonName, 'Демонстрационный Подписант');
  assert.equal(await verifier.verify(token, 'mine').catch((e) => e.code), 'nonce_unknown');
});

/** What a signature over a digest is worth: OpenSSL judges it with the key of the certificate. */
function judged(der, hash, digest, signature) {
  const file = (name) => path.join(shop.dir, name);
  writeFileSync(file('signer.pem'), new X509Certificate(der).publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file('digest'), digest);
  writeFileSync(file('value'), signature);
  return execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', file('signer.pem'), '-sigfile', file('value'), '-in', file('digest'), '-pkeyopt', `digest:${hash}`]).toString();
}

/** ECDSA's r and s as DER, for OpenSSL. */
function der(raw) {
  const number = (b) => {
    const bytes = Buffer.from(BigInt(`0x${b.toString('hex')}`).toString(16).replace(/^(.(..)*)$/, '0$1'), 'hex');
    const whole = bytes[0] & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(2, whole.length), whole]);
  };
  const body = Buffer.concat([number(raw.subarray(0, raw.length / 2)), number(raw.subarray(raw.length / 2))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

const digest = Buffer.from('8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4', 'hex');

check('Web eID: a certificate for signing, and a digest signed by the right to sign unseen', async () => {
  await agent.command('origins', 'allow', '--hidden', portal.origin);
  for (const [key, pin, crypto, padding] of [['rsa-sha256', PIN, 'RSA', 'PKCS1.5'], ['ecdsa-sha256', DEMO_PIN, 'ECC', 'NONE']]) {
    const found = await during(ask('get-signing-certificate'), () => choose(key));
    assert.deepEqual(found.supportedSignatureAlgorithms, ['SHA-256', 'SHA-384', 'SHA-512'].map((h) => algorithm(crypto, h, padding)));
    const asked = ask('sign', { certificate: found.certificate, hash: digest.toString('base64'), hashFunction: 'SHA-256' });
    const made = await during(asked, () => enter(/Подписать хеш/, pin, 'eid-sign'));
    assert.deepEqual(made.signatureAlgorithm, algorithm(crypto, 'SHA-256', padding), JSON.stringify(made));
    const value = Buffer.from(made.signature, 'base64');
    assert.match(judged(Buffer.from(found.certificate, 'base64'), 'sha256', digest, crypto === 'ECC' ? der(value) : value), /Verified Successfully/);
  }
});

check('Web eID: a person who says no, and requests that make no sense', async () => {
  const challengeNonce = Buffer.alloc(32, 3).toString('base64');
  const refused = await during(ask('authenticate', { challengeNonce }), async () => {
    await desktop.titled(/Выберите сертификат/);
    await desktop.dismiss();
  });
  assert.equal(refused.error.code, 'ERR_WEBEID_USER_CANCELLED');
  for (const [action, more, code] of [
    ['authenticate', { challengeNonce: 'short' }, 'NATIVE_INVALID_ARGUMENT'], ['authenticate', {}, 'MISSING_PARAMETER'],
    ['sign', { certificate: 'AAAA', hash: digest.toString('base64'), hashFunction: 'SHA-256' }, 'NATIVE_INVALID_ARGUMENT'],
    ['status', { libraryVersion: '9.0.0' }, 'VERSION_MISMATCH'],
  ]) assert.equal((await ask(action, more)).error.code, `ERR_WEBEID_${code}`, action);
  const late = await ask('authenticate', { challengeNonce, options: { userInteractionTimeout: 1500 } });
  assert.equal(late.error.code, 'ERR_WEBEID_USER_TIMEOUT');
  await desktop.gone();
});

check('Web eID: silent where another extension answers', async () => {
  await page.goto(`${portal.origin}/webeid.html`);
  const first = await page.evaluate(() => {
    window.addEventListener('message', (e) => e.data.action === 'web-eid:status' && window.postMessage({ action: 'web-eid:status-ack' }, '*'));
    return window.ask('web-eid:status', {}, 1_500);
  });
  assert.equal(first.action, 'silence');
  assert.equal(await page.evaluate(() => heard.filter((h) => h.action === 'web-eid:status-ack').length), 1);
});

check('web-eid.js, the library itself', async () => {
  await page.goto(`${portal.origin}/library.html`);
  const call = (name, ...args) => page.evaluate(([name, args]) => window.webeid[name](...args).catch((e) => ({ code: e.code, name: e.constructor.name })), [name, args]);
  const status = await call('status');
  assert.match(status.nativeApp, /^2\.0\.0\+persten/);
  const token = await during(call('authenticate', await verifier.challenge('library'), { lang: 'ru' }), async () => {
    await choose('rsa-sha256');
    await enter(/Вход на сайт 127/, PIN, 'library-login');
  });
  assert.equal((await verifier.verify(token, 'library')).certificate.subject.commonName, 'Демонстрационный Подписант');
  const found = await during(call('getSigningCertificate'), () => choose('rsa-sha256'));
  const made = await during(call('sign', found.certificate, digest.toString('base64'), 'SHA-256'), () => enter(/Подписать хеш/, PIN, 'library-sign'));
  assert.match(judged(Buffer.from(found.certificate, 'base64'), 'sha256', digest, Buffer.from(made.signature, 'base64')), /Verified Successfully/);
  const refused = await during(call('authenticate', Buffer.alloc(32).toString('base64')), async () => {
    await desktop.titled(/Выберите сертификат/);
    await desktop.dismiss();
  });
  assert.equal(refused.code, 'ERR_WEBEID_USER_CANCELLED');
}, skip || (!library && 'NOT RUN: WEBEID_LIBRARY names no bundle of web-eid.js'));

check('hwcrypto.js 0.0.13: debug, a certificate, signatures', async () => {
  await page.goto(`${portal.origin}/hwcrypto.html`);
  assert.match(await page.evaluate(() => hwcrypto.debug()), /^hwcrypto\.js 0\.0\.13 with Chrome native messaging extension 1\.0\.0\//);
  await agent.command('origins', 'allow', '--hidden', portal.origin); // as before, for when this test runs alone
  for (const [key, pin] of [['rsa-sha256', PIN], ['ecdsa-sha256', DEMO_PIN]]) {
    const certificate = await during(page.evaluate(async () => {
      window.certificate = await hwcrypto.getCertificate({ lang: 'en' });
      return { hex: window.certificate.hex, size: window.certificate.encoded.length };
    }), () => choose(key));
    const whole = Buffer.from(certificate.hex, 'hex');
    assert.equal(certificate.size, whole.length);
    for (const [type, hash, size] of [['SHA-256', 'sha256', 32], ['SHA-512', 'sha512', 64]]) {
      const hashed = Buffer.alloc(size, 0x5a);
      const made = await during(page.evaluate(async ([type, value]) => (await hwcrypto.sign(window.certificate, { type, value: new Uint8Array(value) }, { lang: 'en', info: 'Заявка 7' })).hex, [type, [...hashed]]),
        () => enter(/Подписать хеш/, pin, 'hwcrypto-sign'));
      const value = Buffer.from(made, 'hex');
      assert.match(judged(whole, hash, hashed, key.startsWith('ecdsa') ? der(value) : value), /Verified Successfully/);
    }
  }
});

check('hwcrypto.js: refusals by their names; the real extension goes first', async () => {
  await page.goto(`${portal.origin}/hwcrypto.html`);
  const word = (f) => page.evaluate(`(${f})().then((v) => 'answered', (e) => e.message)`);
  const refused = await during(word(() => hwcrypto.getCertificate({ lang: 'en' })), async () => {
    await desktop.titled(/Выберите сертификат/);
    await desktop.dismiss();
  });
  assert.equal(refused, 'user_cancel');
  assert.equal(await word(() => hwcrypto.sign({ hex: '00' }, { type: 'SHA-256', hex: '00' }, { lang: 'en' })), 'invalid_argument');
  assert.equal(await word(() => hwcrypto.getCertificate({ lang: 'en', filter: 'AUTH' })), 'not_allowed');
  await page.goto(`${portal.origin}/real.html`);
  assert.match(await page.evaluate(() => hwcrypto.debug()), /real$/);
});
