// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { beforeEach } from 'node:test';
import { settle } from '../fakes.mjs';
import { newAgentKey } from '../fixtures/proof.mjs';
import { load } from '../load.mjs';
import { define, greeting, hello, install as put, openPage, origin, world } from '../page.mjs';

const { connect, forgetAgent, PerstenError } = await load('sdk/index.ts');
const { relay } = await load('src/relay.ts');
const install = (reason) => put(relay, reason);

beforeEach(openPage);

test('the extension is chosen when it announces itself', async () => {
  install();
  const p = await connect();
  assert.equal(p.transport, 'extension');
  assert.equal(p.agent.version, hello.version);
  assert.deepEqual(await p.certificates(), []);
  assert.equal(world.sockets.length, 0);
});

test('without it the WebSocket is used, by literal address and subprotocol', async () => {
  const p = await connect({ lang: 'ru', client: 'test' });
  assert.equal(p.transport, 'websocket');
  assert.deepEqual([world.sockets[0].url, world.sockets[0].protocols], ['ws://127.0.0.1:24117', ['persten.v1']]);
  const { challenge, ...others } = world.sockets[0].sent[0].params;
  assert.deepEqual(others, { protocol: 'persten.v1', lang: 'ru', client: 'test' });
  assert.equal(Buffer.from(challenge, 'base64').length, 32);
  await connect();
  assert.notEqual(world.sockets[1].sent[0].params.challenge, challenge, 'a fresh one each time');
});

test('the ways of not being there are told apart', async () => {
  const refuse = () => true;
  const cases = [
    ['not running', { refuse, health: 'none' }, 'agent_not_running'],
    ['site not allowed', { refuse }, 'origin_not_allowed'],
    ["another user's agent", { refuse, health: 'other_user' }, 'other_user'],
    ['another program', { refuse, health: 'garbage' }, 'agent_unknown'],
    ['another program, not readable', { refuse, health: 'unreadable' }, 'agent_unknown'],
    ['another program that never ends', { refuse, health: 'endless' }, 'agent_unknown'],
    ['browser denies', { state: 'denied' }, 'browser_permission'],
    ['browser would ask, nobody clicked', { state: 'prompt', clicked: false }, 'browser_permission_needed'],
    ['browser asked, person closed the question', { state: 'prompt', refuse }, 'browser_permission'],
    ['insecure page', { insecure: true }, 'context_insecure'],
  ];
  for (const [name, o, code] of cases) {
    world.agent.refuse = o.refuse;
    world.health = o.health ?? 'ours';
    world.permission = { 'loopback-network': o.state ?? 'granted' };
    world.clicked = o.clicked ?? true;
    define('isSecureContext', !o.insecure);
    await assert.rejects(connect({ retryOrigin: false }), (e) => e instanceof PerstenError && e.code === code && e.text !== code && e.advice !== '', name);
  }
});

test('the page may explain before the browser asks, and only then', async () => {
  const told = [];
  await connect({ onPermission: () => told.push('asked without need') });
  world.permission = { 'loopback-network': 'prompt' };
  await connect({ onPermission: async () => told.push(world.sockets.length) });
  assert.deepEqual([told, world.sockets.length], [[1], 2], 'the socket is opened after the explanation');
  await assert.rejects(connect({ onPermission: () => Promise.reject(new Error('not now')) }), { message: 'not now' });
  const stop = new AbortController();
  await assert.rejects(connect({ signal: stop.signal, onPermission: () => stop.abort() }), { name: 'AbortError' });
  assert.equal(world.sockets.length, 2, 'the browser was not made to ask');
  world.clicked = false;
  await assert.rejects(connect({ onPermission: () => told.push('without a click') }), { code: 'browser_permission_needed' });
  assert.deepEqual(told, [1]);
});

test('the agent is the one met before, or nothing more is sent', async () => {
  const sent = () => world.sockets.at(-1).sent.map((m) => m.method);
  const other = newAgentKey();
  const proof = greeting()({ challenge: 'x' }).agent;
  const [first, second] = [Buffer.alloc(64), Buffer.alloc(64, 1)].map((b) => b.toString('base64'));
  const impostors = {
    'another key': greeting(other),
    'no proof': () => hello,
    'a proof of another challenge': () => ({ ...hello, agent: proof }),
    'a proof for another site': ({ challenge }) => ({ ...hello, agent: newAgentKey().prove('https://evil.example', challenge) }),
    'another\'s key with our proof': (p) => ({ ...hello, agent: { ...greeting()(p).agent, key: other.key } }),
    'our key with another\'s proof': (p) => ({ ...hello, agent: { ...greeting(other)(p).agent, key: proof.key } }),
    'zeros': () => ({ ...hello, agent: { key: proof.key, proof: first } }),
    'no numbers of the curve': () => ({ ...hello, agent: { key: proof.key, proof: second } }),
    'no base64': () => ({ ...hello, agent: { key: '*', proof: '*' } }),
    'a proof of DER': () => ({ ...hello, agent: { key: proof.key, proof: 'MAA=' } }),
    'not text': () => ({ ...hello, agent: { key: 1, proof: [] } }),
    'not an object': () => ({ ...hello, agent: 'us' }),
    'words of its own': () => { throw { code: 'agent_paused', args: {}, text: 'Download this', next: 'http://evil.example' }; },
    'an older agent': () => { throw { code: 'request_invalid', args: { field: 'challenge' }, text: 'Download this', next: '' }; },
  };
  await connect();
  for (const [name, impostor] of Object.entries(impostors)) {
    world.agent['agent.hello'] = impostor;
    await assert.rejects(connect(), (e) => e.code === 'not_our_agent' && !/Download|evil/.test(e.text + e.advice), name);
    assert.deepEqual(sent(), ['agent.hello'], name);
  }
  world.agent['agent.hello'] = greeting(other);
  forgetAgent();
  await connect();
  world.agent['agent.hello'] = greeting();
  await assert.rejects(connect(), { code: 'not_our_agent' }, 'now the other one is the known one');
});

test('the agent behind the extension is believed over what the WebSocket taught', async () => {
  world.agent['agent.hello'] = greeting(newAgentKey());
  await connect();
  world.agent['agent.hello'] = greeting();
  install();
  await connect();
  assert.equal((await connect({ transport: 'websocket' })).transport, 'websocket');
  world.agent['agent.hello'] = ({ challenge }) => ({ ...hello, agent: { ...greeting()({ challenge: `${challenge}x` }).agent } });
  await assert.rejects(connect(), { code: 'not_our_agent' }, 'a proof has to hold there too');
});

test('a page that can keep nothing meets every agent for the first time', async () => {
  const shut = { getItem() { throw new DOMException('no', 'SecurityError'); }, setItem() { throw new DOMException('no', 'SecurityError'); }, removeItem() { throw new DOMException('no', 'SecurityError'); } };
  define('localStorage', shut);
  for (const by of [undefined, newAgentKey()]) {
    world.agent['agent.hello'] = greeting(by);
    await connect();
  }
  world.agent['agent.hello'] = () => hello;
  await assert.rejects(connect(), { code: 'not_our_agent' });
  forgetAgent();
});

test('an agent that is too old for the site', async () => {
  await assert.rejects(connect({ needs: ['sign.cms', 'sign.batch'] }), { code: 'version_too_old', args: { version: '0.1.0' } });
  assert.equal((await connect({ needs: ['sign.cms'] })).agent.version, '0.1.0');
  forgetAgent();
  world.agent['agent.hello'] = () => { throw { code: 'request_invalid', args: { field: 'challenge' } }; };
  await assert.rejects(connect(), { code: 'version_too_old' });
  install();
  await assert.rejects(connect(), { code: 'version_too_old' });
});

test('a browser that knows only the older permission name, or none', async () => {
  world.permission = { 'local-network-access': 'denied' };
  await assert.rejects(connect(), { code: 'browser_permission' });
  world.permission = {};
  assert.equal((await connect()).transport, 'websocket');
});

test("another program on the agent's port gets nothing", async () => {
  for (const impostor of [{}, { ...hello, protocol: 'http' }, { ...hello, origin: 'https://evil.example' }, null, 'hello']) {
    world.agent['agent.hello'] = () => impostor;
    await assert.rejects(connect(), { code: 'agent_unknown' });
    assert.deepEqual(world.sockets.at(-1).sent.map((m) => m.method), ['agent.hello']);
  }
});

test('an unknown site waits for the answer, over both ways', async () => {
  for (const way of ['extension', 'websocket']) {
    let asked = 0;
    const waited = [];
    if (way === 'extension') {
      install();
      world.agent['agent.hello'] = (p) => {
        if (asked++ === 0) throw { code: 'origin_not_allowed', args: { origin }, text: 'Not yet.', next: 'Answer.' };
        return greeting()(p);
      };
    } else {
      world.agent['agent.hello'] = greeting();
      world.agent.refuse = () => asked++ === 0;
    }
    const p = await connect({ transport: way, onWaiting: (c) => waited.push(c) });
    assert.deepEqual([p.transport, waited, asked], [way, ['origin_not_allowed'], 2]);
  }
});

test('waiting for the answer can be left out or aborted, and a refusal ends it', async () => {
  install();
  world.agent['agent.hello'] = () => { throw { code: 'origin_not_allowed', args: {}, text: 'Not yet.', next: 'Answer.' }; };
  await assert.rejects(connect({ retryOrigin: false }), { code: 'origin_not_allowed' });
  const stop = new AbortController();
  await assert.rejects(connect({ signal: stop.signal, onWaiting: () => stop.abort() }), { name: 'AbortError' });
  world.agent['agent.hello'] = () => { throw { code: 'origin_denied', args: {}, text: 'No.', next: '' }; };
  await assert.rejects(connect(), { code: 'origin_denied' });
});

test('an extension without native messaging falls back only when nobody is asked', async () => {
  install({ code: 'agent_not_installed' });
  assert.equal((await connect()).transport, 'websocket');
  await assert.rejects(connect({ transport: 'extension' }), { code: 'agent_not_installed' });
  world.permission = { 'loopback-network': 'prompt' };
  await assert.rejects(connect(), { code: 'agent_not_installed' });
  world.permission = { 'loopback-network': 'granted' };
  world.health = 'none';
  world.agent.refuse = () => true;
  await assert.rejects(connect(), { code: 'agent_not_installed' }, 'the first reason is the useful one');
});

test('after a loss the next call connects again, and close is for good', async () => {
  const p = await connect();
  const heard = [];
  p.on('disconnected', (r) => heard.push(r.code));
  p.on('connected', () => heard.push('connected'));
  world.sockets[0].close();
  await settle();
  assert.deepEqual(await p.certificates(), []);
  assert.deepEqual(heard, ['agent_lost', 'connected']);
  assert.equal(world.sockets.length, 2);
  p.close();
  await settle();
  await assert.rejects(p.certificates(), { code: 'request_cancelled' });
  assert.equal(world.sockets.length, 2);
});

test('signCms sends what was asked, and nothing else', async () => {
  let asked;
  world.agent['sign.cms'] = (params) => {
    asked = params;
    const digest = createHash('sha256').update('abc').digest('hex');
    return { signature: { inline: 'MAA=' }, certificate: 'c'.repeat(64), signingTime: '2026-11-22T10:00:00Z', size: 3, digest, digestAlg: 'sha256' };
  };
  const p = await connect();
  const r = await p.signCms(new File(['abc'], 'договор.txt', { type: 'text/plain' }), { certificate: 'A'.repeat(40), note: 'Order 7' });
  assert.deepEqual(asked, {
    certificate: 'a'.repeat(40), content: { inline: 'YWJj' }, attached: false, name: 'договор.txt', mime: 'text/plain', note: 'Order 7',
  });
  assert.deepEqual([[...r.signature], r.attached, r.size, r.signingTime.toISOString()], [[48, 0], false, 3, '2026-11-22T10:00:00.000Z']);
  assert.deepEqual([r.digest, r.digestAlg], [createHash('sha256').update('abc').digest('hex'), 'sha256']);
  await p.signCms({ text: 'abc' }, { certificate: 'a'.repeat(40) });
  assert.deepEqual(Object.keys(asked).sort(), ['attached', 'certificate', 'content']);
  for (const bad of ['abc', undefined, null, 7, {}, { text: 7 }, [1, 2]]) {
    asked = undefined;
    await assert.rejects(p.signCms(bad, { certificate: 'a'.repeat(40) }), { name: 'TypeError', message: /UTF-8/ });
    assert.equal(asked, undefined, 'a string that may be base64 is not guessed at');
  }
});

test('verifyCms gives the document only when there is one', async () => {
  const asked = [];
  world.agent['verify.cms'] = (params) => (asked.push(params), { valid: true, attached: true, size: 3, signers: [] });
  const p = await connect();
  await p.verifyCms(new Uint8Array([48, 0]));
  await p.verifyCms(new Uint8Array([48, 0]), { content: { text: 'abc' } });
  assert.deepEqual(asked, [{ signature: { inline: 'MAA=' } }, { signature: { inline: 'MAA=' }, content: { inline: 'YWJj' } }]);
});

test('signXml sends the form that was asked for, and nothing else', async () => {
  let asked;
  world.agent['sign.xml'] = (params) => {
    asked = params;
    return { document: { inline: 'PGEvPg==' }, certificate: 'c'.repeat(64), signingTime: '2026-11-22T10:00:00Z' };
  };
  const p = await connect();
  const r = await p.signXml(new File(['<a/>'], 'заказ.xml', { type: 'application/xml' }), {
    certificate: 'A'.repeat(40), note: 'Order 7', mode: 'detached', profile: 'xades-epes', references: ['order-1', ''], columns: 64,
    c14n: 'urn:c', signatureId: 's', algorithm: 'rsa-pss-sha256', keyValue: true, parallel: false, idAttributes: ['{urn:x}ID'],
    place: { path: '/d:order', position: 'after', namespaces: { d: 'urn:d' } },
    policy: { id: '1.2.3', digest: new Uint8Array([1, 2, 3]), digestAlg: 'sha256', uri: 'https://portal.example/p' },
  });
  assert.deepEqual(asked, {
    certificate: 'a'.repeat(40), content: { inline: 'PGEvPg==' }, name: 'заказ.xml', mime: 'application/xml', note: 'Order 7',
    mode: 'detached', profile: 'xades-epes', references: [{ id: 'order-1' }, { id: '' }], columns: 64, c14n: 'urn:c', signatureId: 's',
    algorithm: 'rsa-pss-sha256', keyValue: true, parallel: false, idAttributes: ['{urn:x}ID'],
    place: { path: '/d:order', position: 'after', namespaces: [{ prefix: 'd', uri: 'urn:d' }] },
    policy: { id: '1.2.3', digest: 'AQID', digestAlg: 'sha256', uri: 'https://portal.example/p' },
  });
  assert.deepEqual(Object.keys(r).sort(), ['certificate', 'document', 'signingTime', 'size']);
  assert.deepEqual([new TextDecoder().decode(r.document), r.size, r.signingTime.getTime()], ['<a/>', 4, Date.UTC(2026, 10, 22, 10)]);
  await p.signXml({ text: '<a/>' }, { certificate: 'a'.repeat(40), place: { path: '//s' }, onProgress: () => undefined, signal: undefined });
  assert.deepEqual(asked, { certificate: 'a'.repeat(40), content: { inline: 'PGEvPg==' }, place: { path: '//s' } });
  await p.signXml({ text: '<a/>' }, { certificate: 'a'.repeat(40) });
  assert.deepEqual(Object.keys(asked).sort(), ['certificate', 'content']);
});

test('large XML goes and comes back in pieces, and is dropped on both ways', async () => {
  const document = `<a>${'x'.repeat(700_000)}</a>`;
  const held = new Map();
  const calls = [];
  world.agent = { ...world.agent,
    'content.open': () => (held.set('in', ''), { handle: 'in' }),
    'content.append': ({ handle, data }) => (held.set(handle, held.get(handle) + Buffer.from(data, 'base64')), { size: 0 }),
    'content.close': () => ({ size: 0 }),
    'content.read': ({ handle, offset, length }) => {
      const piece = Buffer.from(held.get(handle)).subarray(offset, offset + length);
      return { data: piece.toString('base64'), eof: offset + piece.length >= held.get(handle).length };
    },
    'content.drop': ({ handle }) => (calls.push(handle), held.delete(handle), {}),
    'sign.xml': ({ content }) => {
      held.set('out', `${held.get(content.handle)}<!--signed-->`);
      return { document: { handle: 'out' }, certificate: 'c'.repeat(64), signingTime: '2026-11-22T10:00:00Z' };
    },
  };
  const p = await connect();
  const r = await p.signXml({ text: document }, { certificate: 'a'.repeat(40) });
  assert.equal(new TextDecoder().decode(r.document), `${document}<!--signed-->`);
  await settle();
  assert.deepEqual([calls.sort(), held.size, r.size], [['in', 'out'], 0, document.length]);
});

test('verifyXml gives the names of Ids only when there are some', async () => {
  const asked = [];
  world.agent['verify.xml'] = (params) => (asked.push(params), { valid: true, attached: true, size: 4, signers: [] });
  const p = await connect();
  assert.equal((await p.verifyXml({ text: '<a/>' })).valid, true);
  await p.verifyXml(new TextEncoder().encode('<a/>'), { idAttributes: ['ID'] });
  assert.deepEqual(asked, [{ content: { inline: 'PGEvPg==' } }, { content: { inline: 'PGEvPg==' }, idAttributes: ['ID'] }]);
});

test('signRaw takes a document or a ready digest, verifyCms too', async () => {
  const asked = [];
  world.agent['sign.raw'] = (params) => (asked.push(params), { signature: 'MAA=', algorithm: 'rsa-sha256', certificate: 'c'.repeat(64), signingTime: '2026-11-22T10:00:00Z' });
  world.agent['verify.cms'] = (params) => (asked.push(params), { valid: true, attached: false, size: 3, signers: [] });
  const p = await connect();
  const certificate = 'a'.repeat(40);
  await p.signRaw({ text: 'abc' }, { certificate, algorithm: 'rsa-pss-sha256' });
  await p.signRaw({ digest: '00'.repeat(32) }, { certificate, note: 'Order 7' });
  await p.verifyCms(new Uint8Array([48, 0]), { digest: { value: '00'.repeat(32), algorithm: 'sha256' } });
  assert.deepEqual(asked, [
    { certificate, algorithm: 'rsa-pss-sha256', content: { inline: 'YWJj' } },
    { certificate, note: 'Order 7', digest: '00'.repeat(32) },
    { signature: { inline: 'MAA=' }, digest: '00'.repeat(32), digestAlg: 'sha256' },
  ]);
});
