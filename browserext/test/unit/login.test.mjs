// SPDX-License-Identifier: GPL-3.0-or-later
// The verifier for servers, as the npm package has it: tokens of Web eID's own tests, tokens made here with keys of OpenSSL's, and
// everything that must be refused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { load, root } from '../load.mjs';

const { LoginVerifier, MemoryNonces } = await import(path.join(root, 'dist/sdk/verify.js'));
const { persten, trustedBy } = await import(path.join(root, 'dist/sdk/verify-node.js'));
const { parseCertificate } = await load('sdk/server/x509.ts');

const dir = mkdtempSync(path.join(os.tmpdir(), 'persten-login-'));
after(() => rmSync(dir, { recursive: true }));
const at = (name) => path.join(dir, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
const code = (promise) => promise.then(() => 'let in', (e) => e.code ?? e.message);

const origin = 'https://portal.example';
const yes = async () => true;
const vector = (name) => JSON.parse(readFileSync(path.join(root, '../testdata/webeid', name), 'utf8'));

/** A verifier that waits for one answer of session s. */
async function waiting(nonce, o = {}) {
  const nonces = new MemoryNonces();
  const v = new LoginVerifier({ origin, nonces, chain: yes, ...o });
  await nonces.put('s', nonce, 60_000);
  return v;
}

openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=Persten test CA');
openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'other.key', '-out', 'other.pem', '-days', '30', '-subj', '/CN=Persten test CA');

/** Makes a key with a certificate of the test CA. */
function holder(name, key, ext = 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n') {
  writeFileSync(at('ext'), ext);
  openssl('genpkey', ...key, '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-out', 'csr', '-utf8', '-subj', '/CN=Демонстрационный Подписант/serialNumber=0001');
  openssl('x509', '-req', '-in', 'csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-extfile', 'ext', '-outform', 'DER', '-out', `${name}.der`);
  return { der: readFileSync(at(`${name}.der`)), key: createPrivateKey(readFileSync(at(`${name}.key`))) };
}

/** A token made by Node's own cryptography. */
function made({ der, key }, algorithm, nonce, site = origin) {
  const hash = `sha${algorithm.slice(2)}`;
  const digest = (text) => createHash(hash).update(text).digest();
  const how = { key, ...(algorithm.startsWith('ES') && { dsaEncoding: 'ieee-p1363' }), ...(algorithm.startsWith('PS') && { padding: 6, saltLength: -1 }) };
  const signature = sign(hash, Buffer.concat([digest(site), digest(nonce)]), how);
  return { unverifiedCertificate: der.toString('base64'), algorithm, signature: signature.toString('base64'), format: 'web-eid:1.0', appVersion: 'test' };
}

const rsa = holder('rsa', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']);
const ec = Object.fromEntries([['ES256', 'P-256'], ['ES384', 'P-384'], ['ES512', 'P-521']].map(([name, curve]) =>
  [name, holder(name, ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`])]));

test("tokens of Web eID's own tests are good, for their day", async () => {
  for (const [file, day] of [['es384.json', '2024-01-01'], ['rs256.json', '2020-01-01']]) {
    const { origin, nonce, token } = vector(file);
    const now = () => new Date(day);
    const { certificate } = await (await waiting(nonce, { origin, now })).verify(token, 's');
    const c = new X509Certificate(certificate.der);
    assert.equal(+certificate.notAfter, Date.parse(c.validTo));
    assert.equal(certificate.serial.replace(/^0+/, ''), c.serialNumber.toLowerCase());
    assert.match(certificate.subject.serialNumber, /^PNO(EE|LV)-/);
    assert.equal(await code((await waiting(nonce, { origin })).verify(token, 's')), 'certificate_expired');
    assert.equal(await code((await waiting(nonce, { origin, now: () => new Date('2010-01-01') })).verify(token, 's')), 'certificate_not_yet_valid');
    assert.equal(await code((await waiting(nonce, { origin: 'https://ria.ee.evil.example', now })).verify(token, 's')), 'login_mismatch');
    assert.equal(await code((await waiting(nonce.replace('1', '2'), { origin, now })).verify(token, 's')), 'login_mismatch');
    assert.equal(await code((await waiting(nonce, { origin, now, chain: async () => false })).verify(token, 's')), 'certificate_untrusted');
  }
});

test('every algorithm: good for its site and session, once', async () => {
  const holders = { ...ec, RS256: rsa, RS384: rsa, RS512: rsa, PS256: rsa, PS384: rsa, PS512: rsa };
  const v = new LoginVerifier({ origin, nonces: new MemoryNonces(), chain: trustedBy([readFileSync(at('ca.pem'))]) });
  for (const [algorithm, who] of Object.entries(holders)) {
    const nonce = await v.challenge('mine');
    assert.ok(Buffer.from(nonce, 'base64').length >= 32);
    const token = made(who, algorithm, nonce);
    assert.equal(await code(v.verify(token, 'another')), 'nonce_unknown');
    const { certificate } = await v.verify(token, 'mine');
    assert.equal(certificate.subject.commonName, 'Демонстрационный Подписант');
    assert.equal(await code(v.verify(token, 'mine')), 'nonce_unknown', 'a replay');
    const next = await v.challenge('mine');
    assert.equal(await code(v.verify(token, 'mine')), 'login_mismatch', 'an old token for a new challenge');
    assert.equal(await code(v.verify(made(who, algorithm, next), 'mine')), 'nonce_unknown', 'a wrong answer uses the challenge up');
    assert.equal(await code(v.verify(made(who, algorithm, await v.challenge('mine'), 'https://evil.example'), 'mine')), 'login_mismatch', 'a relay');
  }
});

test('a bit of the signature, of the key, of the algorithm', async () => {
  const nonce = Buffer.alloc(32, 5).toString('base64');
  const token = made(ec.ES256, 'ES256', nonce);
  for (let bit = 0; bit < 512; bit++) {
    const signature = Buffer.from(token.signature, 'base64');
    signature[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(await code((await waiting(nonce)).verify({ ...token, signature: signature.toString('base64') }, 's')), 'login_mismatch');
  }
  const other = { ...token, unverifiedCertificate: holder('second', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']).der.toString('base64') };
  assert.equal(await code((await waiting(nonce)).verify(other, 's')), 'login_mismatch', "somebody else's certificate");
  for (const algorithm of ['ES384', 'RS256', 'GOST3410_2012_256', 'none', 'HS256', '__proto__', 'constructor', '']) {
    assert.equal(await code((await waiting(nonce)).verify({ ...token, algorithm }, 's')), 'algorithm_unsupported', algorithm);
  }
  const weak = holder('weak', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024']);
  assert.equal(await code((await waiting(nonce)).verify(made(weak, 'RS256', nonce), 's')), 'algorithm_unsupported');
});

test('what is no token', async () => {
  const nonce = Buffer.alloc(32, 6).toString('base64');
  const token = made(ec.ES256, 'ES256', nonce);
  const along = [{ certificate: token.unverifiedCertificate, supportedSignatureAlgorithms: [] }];
  for (const bad of [
    null, undefined, 7, 'x', [], {}, { ...token, signature: undefined }, { ...token, signature: '' }, { ...token, signature: 'a b=' }, { ...token, signature: 'A'.repeat(1e6) },
    { ...token, format: 'web-eid:2.0' }, { ...token, format: 'web-eid:1.1' }, { ...token, format: 'web-eid:1.1', unverifiedSigningCertificates: [] },
    { ...token, unverifiedSigningCertificates: along }, { ...token, format: 'web-eid:1.1', unverifiedSigningCertificates: [null] }, { ...token, unverifiedCertificate: 7 },
    { ...token, unverifiedCertificate: 'A'.repeat(1e6) },
  ]) assert.equal(await code((await waiting(nonce)).verify(bad, 's')), 'token_malformed', JSON.stringify(bad)?.slice(0, 80));
  const beside = await (await waiting(nonce)).verify({ ...token, format: 'web-eid:1.1', unverifiedSigningCertificates: along, unknown: 1 }, 's');
  assert.deepEqual(Buffer.from(beside.signing[0]), ec.ES256.der);
});

test('certificates: what they are for, and who issued them', async () => {
  const nonce = Buffer.alloc(32, 7).toString('base64');
  const key = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  for (const [ext, want] of [
    ['keyUsage=critical,digitalSignature,nonRepudiation\n', 'let in'], ['basicConstraints=CA:FALSE\n', 'let in'],
    ['keyUsage=digitalSignature\nextendedKeyUsage=emailProtection,clientAuth\n', 'let in'], ['extendedKeyUsage=anyExtendedKeyUsage\n', 'let in'],
    ['keyUsage=critical,nonRepudiation\n', 'certificate_not_for_login'], ['keyUsage=keyEncipherment\n', 'certificate_not_for_login'],
    ['keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n', 'certificate_not_for_login'],
  ]) assert.equal(await code((await waiting(nonce)).verify(made(holder('usage', key, ext), 'ES256', nonce), 's')), want, ext);
  const token = made(ec.ES256, 'ES256', nonce);
  const by = (...names) => trustedBy(names.map((n) => readFileSync(at(n))));
  assert.equal(await code((await waiting(nonce, { chain: by('other.pem', 'ca.pem') })).verify(token, 's')), 'let in');
  assert.equal(await code((await waiting(nonce, { chain: by('other.pem') })).verify(token, 's')), 'certificate_untrusted', 'another CA of the same name');
  assert.equal(await code((await waiting(nonce, { chain: by() })).verify(token, 's')), 'certificate_untrusted');
});

test('any bytes as a certificate: an answer, never a hang', () => {
  const whole = new Uint8Array(readFileSync(at('ES256.der')));
  for (let n = 0; n < whole.length; n++) {
    assert.throws(() => parseCertificate(whole.slice(0, n)));
    for (const value of [0x00, 0x30, 0x80, 0x84, 0xff]) {
      const changed = whole.slice();
      changed[n] = value;
      try {
        parseCertificate(changed);
      } catch (e) {
        assert.ok(e instanceof Error);
      }
    }
  }
});

test('challenges grow old, and the oldest go when there are too many', async () => {
  let time = 0;
  const nonces = new MemoryNonces(3, () => time);
  for (const s of ['a', 'b', 'c', 'd']) await nonces.put(s, s, 1000);
  assert.equal(await nonces.take('a'), undefined);
  assert.equal(await nonces.take('b'), 'b');
  assert.equal(await nonces.take('b'), undefined);
  time = 1000;
  assert.equal(await nonces.take('c'), undefined);
  const both = new MemoryNonces();
  await both.put('s', 'n', 1000);
  assert.deepEqual((await Promise.all([both.take('s'), both.take('s')])).sort(), ['n', undefined]);
});

test('an origin is an origin', () => {
  for (const bad of ['https://portal.example/', 'portal.example', 'https://portal.example/login', 'https://Portal.example', '']) {
    assert.throws(() => new LoginVerifier({ origin: bad, nonces: new MemoryNonces(), chain: yes }), TypeError, bad);
  }
});

test('a server that cannot run persten says so, and lets nobody in', async () => {
  const nonce = Buffer.alloc(32, 8).toString('base64');
  const token = { ...made(ec.ES256, 'ES256', nonce), algorithm: 'GOST3410_2012_256' };
  assert.match(await code((await waiting(nonce, persten({ program: at('absent') }))).verify(token, 's')), /ENOENT/);
  assert.match(await code((await waiting(nonce, persten({ program: '/bin/false' }))).verify(token, 's')), /ended with 1/);
});
