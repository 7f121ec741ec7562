// SPDX-License-Identifier: GPL-3.0-or-later
// The faces of Web eID and of hwcrypto without an agent: what they say to a page, and when they are silent.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeWindow } from '../fakes.mjs';
import { load } from '../load.mjs';

const { concatenated, PerstenError, tokenSigning, WebEidFace } = await load(
  'src/compat/webeid/face.ts', 'src/compat/webeid/keys.ts', 'src/compat/hwcrypto/face.ts', 'sdk/errors.ts');

const refusal = (code) => Promise.reject(new PerstenError({ code }, 'en'));
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const listed = { id: '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881', key: 'ECDSA P-256', der: 'eA==' };

/** An agent as far as these faces ask it. */
const agent = (over = {}) => ({
  asked: [], version: async () => '0.5.0+x', certificates: async () => [listed],
  async ask(method, params, signal) {
    this.asked.push([method, params]);
    if (method === 'auth.respond') return { algorithm: 'ES256', format: 'web-eid:1.0' };
    if (method === 'certificates.select') return { certificate: listed };
    return { signature: Buffer.from('3007020101020200ff', 'hex').toString('base64') };
  },
  ...over,
});

function face(over) {
  const page = Object.assign(new FakeWindow(), { isSecureContext: true });
  const a = agent(over);
  new WebEidFace(page, a);
  const ask = (action, more = {}) => page.deliver({ action: `web-eid:${action}`, libraryVersion: '2.1.0-beta.2', ...more });
  const told = () => page.posted.map((p) => p.data);
  /** Waits until the page has been answered so often. */
  const answered = async (times) => {
    const end = Date.now() + 10_000;
    while (told().filter((m) => /-(success|failure)$/.test(m.action)).length < times && Date.now() < end) await later(10);
    return told();
  };
  return { page, agent: a, ask, told, answered };
}

test('acknowledges within a second, then answers', async () => {
  const f = face();
  f.ask('status');
  f.ask('authenticate', { challengeNonce: 'n'.repeat(44), options: { lang: 'ru', userInteractionTimeout: 1000 } });
  f.ask('get-signing-certificate');
  f.ask('sign', { certificate: 'eA==', hash: Buffer.alloc(32).toString('base64'), hashFunction: 'SHA-256' });
  await f.answered(4);
  const algorithm = (hashFunction) => ({ cryptoAlgorithm: 'ECC', hashFunction, paddingScheme: 'NONE' });
  const by = Object.fromEntries(f.told().map((m) => [m.action.replace('web-eid:', ''), m]));
  assert.deepEqual(f.told().map((m) => m.action).filter((a) => a.endsWith('-ack')), ['status', 'authenticate', 'get-signing-certificate', 'sign'].map((a) => `web-eid:${a}-ack`));
  assert.deepEqual(by['status-success'], { action: 'web-eid:status-success', library: '2.1.0-beta.2', extension: '2.0.0', nativeApp: '2.0.0+persten.0.5.0-x' });
  assert.equal(by['authenticate-success'].algorithm, 'ES256');
  assert.deepEqual(by['get-signing-certificate-success'].supportedSignatureAlgorithms, ['SHA-256', 'SHA-384', 'SHA-512'].map(algorithm));
  assert.deepEqual(by['sign-success'].signatureAlgorithm, algorithm('SHA-256'));
  assert.equal(Buffer.from(by['sign-success'].signature, 'base64').length, 64);
  assert.deepEqual(f.agent.asked.find(([m]) => m === 'auth.respond')[1], { nonce: 'n'.repeat(44), lang: 'ru' });
  assert.deepEqual(f.agent.asked.find(([m]) => m === 'sign.raw')[1], { certificate: listed.id, digest: '0'.repeat(64), algorithm: 'ecdsa-sha256' });
  assert.ok(f.page.posted.every((p) => p.target === 'https://portal.example'));
});

test('silent when another extension acknowledges, now and from then on', async () => {
  const f = face();
  f.ask('status');
  f.page.deliver({ action: 'web-eid:status-ack' });
  await later(200);
  f.ask('authenticate', { challengeNonce: 'n'.repeat(44) });
  await later(200);
  assert.deepEqual([f.told(), f.agent.asked], [[], []]);
});

test('our own acknowledgement is not another extension', async () => {
  const f = face();
  for (let i = 1; i <= 3; i++) {
    f.ask('status');
    await f.answered(i);
  }
  assert.equal(f.told().filter((m) => m.action === 'web-eid:status-success').length, 3);
});

test('one pending per action; a timeout of the page ends the question', async () => {
  const f = face({ ask: (_, __, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))) });
  f.ask('authenticate', { challengeNonce: 'n'.repeat(44), options: { userInteractionTimeout: 200 } });
  f.ask('authenticate', { challengeNonce: 'm'.repeat(44) });
  assert.deepEqual((await f.answered(2)).map((m) => m.error?.code ?? m.action), ['web-eid:authenticate-ack', 'ERR_WEBEID_ACTION_PENDING', 'ERR_WEBEID_USER_TIMEOUT']);
});

test('a page that waits for ever waits long, and not for no time at all', async () => {
  const f = face({ ask: (_, __, signal) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    setTimeout(resolve, 100, { algorithm: 'ES256' });
  }) });
  f.ask('authenticate', { challengeNonce: 'n'.repeat(44), options: { userInteractionTimeout: Infinity } });
  assert.equal((await f.answered(1)).at(-1).action, 'web-eid:authenticate-success');
});

test('messages of others, and nonsense', async () => {
  const f = face();
  const request = { action: 'web-eid:status', libraryVersion: '2.0.0' };
  f.page.deliver(request, { source: new FakeWindow() });
  f.page.deliver(request, { source: null });
  f.page.deliver(request, { origin: 'https://evil.example' });
  for (const data of [null, 1, 'web-eid:status', [], {}, { action: 7 }, { action: 'web-eid:' }, { action: 'web-eid:destroy' }, { action: 'WEB-EID:STATUS' }, { action: 'web-eid:status-success' }]) f.page.deliver(data);
  await later(200);
  assert.deepEqual(f.told(), []);
});

test('errors have the codes of Web eID', async () => {
  const code = async (over, action, more) => {
    const f = face(over);
    f.ask(action, more);
    const { error } = (await f.answered(1)).at(-1);
    assert.deepEqual(Object.keys(error), ['code', 'message', 'name', 'stack']);
    return error.code.replace('ERR_WEBEID_', '');
  };
  const nonce = { challengeNonce: 'n'.repeat(44) };
  for (const [ours, theirs] of Object.entries({
    user_rejected: 'USER_CANCELLED', user_timeout: 'USER_TIMEOUT', agent_not_running: 'NATIVE_UNAVAILABLE', request_invalid: 'NATIVE_INVALID_ARGUMENT',
    pin_locked: 'NATIVE_FATAL', certificate_none: 'NATIVE_FATAL', constructor: 'NATIVE_FATAL',
  })) assert.equal(await code({ ask: () => refusal(ours) }, 'authenticate', nonce), theirs, ours);
  assert.equal(await code({ ask: () => Promise.reject(new TypeError('x')) }, 'authenticate', nonce), 'UNKNOWN_ERROR');
  assert.equal(await code({}, 'authenticate', {}), 'MISSING_PARAMETER');
  assert.equal(await code({}, 'authenticate', { challengeNonce: 'n'.repeat(8193) }), 'NATIVE_INVALID_ARGUMENT');
  assert.equal(await code({}, 'sign', { certificate: 'eA==', hash: '!', hashFunction: 'SHA-256' }), 'NATIVE_INVALID_ARGUMENT');
  assert.equal(await code({}, 'sign', { certificate: 'eA==', hash: 'AAAA', hashFunction: 'SHA-256' }), 'NATIVE_INVALID_ARGUMENT');
  assert.equal(await code({}, 'sign', { certificate: 'eA==', hash: 'AAAA', hashFunction: 'MD5' }), 'NATIVE_INVALID_ARGUMENT');
  assert.equal(await code({}, 'sign', { certificate: 'eQ==', hash: 'AAAA', hashFunction: 'SHA-256' }), 'NATIVE_INVALID_ARGUMENT');
  assert.equal(await code({}, 'status', { libraryVersion: '3.0.0' }), 'VERSION_MISMATCH');
  for (const libraryVersion of [undefined, 2, 'two', '2', `2.0.0-${'a'.repeat(100)}`]) assert.equal(await code({}, 'status', { libraryVersion }), 'VERSION_INVALID');
  const f = face();
  f.page.isSecureContext = false;
  f.ask('status');
  assert.deepEqual((await f.answered(1)).map((m) => m.error?.code), ['ERR_WEBEID_CONTEXT_INSECURE'], 'and no acknowledgement');
});

test('r and s of equal length, whatever DER makes of them', () => {
  const hex = (der) => Buffer.from(concatenated(Buffer.from(der, 'hex'), 4)).toString('hex');
  assert.equal(hex('300702010102020100'), '0000000100000100');
  assert.equal(hex('300b0205008000000002020080'), '8000000000000080');
});

test('TokenSigning: a certificate, a signature, and one word for each error', async () => {
  const of = (over) => new (tokenSigning(agent(over)))();
  const plain = of();
  assert.equal(await plain.getVersion(), '1.0.0/0.5.0+x');
  assert.deepEqual(await plain.getCertificate({ lang: 'en' }), { hex: '78' });
  assert.equal((await plain.sign({ hex: '78' }, { type: 'SHA-256', hex: '0'.repeat(64) }, { lang: 'en' })).hex.length, 128);
  assert.equal((await plain.sign({ hex: '78' }, { type: 'sha256', hex: '0'.repeat(64) })).hex.length, 128);
  const word = (p) => p.then(() => 'done', (e) => e.message);
  for (const [certificate, hash] of [
    [undefined, undefined], [{}, {}], [{ hex: '7' }, { type: 'SHA-256', hex: '00' }], [{ hex: 'xx' }, { type: 'SHA-256', hex: '00' }],
    [{ hex: '78' }, { type: 'SHA-256', hex: '00' }], [{ hex: '78' }, { type: 'MD5', hex: '0'.repeat(32) }], [{ hex: '79' }, { type: 'SHA-256', hex: '0'.repeat(64) }],
    [{ hex: '78'.repeat(40_000) }, { type: 'SHA-256', hex: '0'.repeat(64) }],
  ]) assert.equal(await word(plain.sign(certificate, hash, {})), 'invalid_argument');
  assert.equal(await word(plain.getCertificate({ filter: 'AUTH' })), 'not_allowed');
  for (const [ours, theirs] of Object.entries({
    user_rejected: 'user_cancel', certificate_none: 'no_certificates', hidden_not_allowed: 'not_allowed', pin_locked: 'pin_blocked', token_removed: 'driver_error', internal: 'technical_error',
  })) assert.equal(await word(of({ ask: () => refusal(ours) }).getCertificate({})), theirs);
});
