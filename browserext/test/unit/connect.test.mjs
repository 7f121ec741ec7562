// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { FakeWindow, settle } from '../fakes.mjs';
import { load } from '../load.mjs';

const { connect, detect, PerstenError } = await load('sdk/index.ts');
const { relay } = await load('src/relay.ts');
const { FakePort } = await import('../fakes.mjs');

const origin = 'https://portal.example';
const hello = { protocol: 'persten.v1', version: '0.1.0', capabilities: [], origin };

/** What an agent answers; tests change it. */
let agent;
let permission;
let clicked;
let health;
let sockets;

/** A WebSocket whose server is `agent`; agent.refuse makes the handshake fail. */
class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    sockets.push(this);
    setTimeout(() => {
      if (agent.refuse?.()) return this.onclose?.();
      this.readyState = 1;
      this.onopen();
    });
  }
  send(text) {
    this.sent.push(JSON.parse(text));
    answer(JSON.parse(text), (m) => this.onmessage?.({ data: JSON.stringify(m) }));
  }
  close() {
    this.readyState = 3;
    setTimeout(() => this.onclose?.());
  }
}

function answer({ id, method, params }, reply) {
  if (id === undefined) return;
  try {
    reply({ jsonrpc: '2.0', id, result: agent[method](params) });
  } catch (data) {
    reply({ jsonrpc: '2.0', id, error: { code: 1, message: 'no', data } });
  }
}

/** Puts the extension into the page, with an agent behind it. */
function install(reason) {
  relay(globalThis.window, {
    version: '0.1.0', known: true,
    connect: () => {
      const port = new FakePort();
      port.postMessage = (m) => setTimeout(() => (reason ? port.receive({ kind: 'close', reason })
        : answer(JSON.parse(m.body), (r) => port.receive({ kind: 'rpc', body: JSON.stringify(r) }))));
      return port;
    },
  });
}

const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

beforeEach(() => {
  agent = { 'agent.hello': () => hello, 'certificates.list': () => ({ certificates: [], problems: [] }) };
  permission = { 'loopback-network': 'granted' };
  clicked = true;
  health = true;
  sockets = [];
  define('window', new FakeWindow(origin));
  define('document', { documentElement: { lang: 'en' }, addEventListener() {}, removeEventListener() {} });
  define('location', { origin, hostname: 'portal.example' });
  define('isSecureContext', true);
  define('WebSocket', FakeSocket);
  define('fetch', async (url, o) => {
    assert.equal(url, 'http://127.0.0.1:24117/health');
    assert.equal(o.mode, 'no-cors');
    if (!health) throw new TypeError('Failed to fetch');
  });
  define('navigator', {
    language: 'en',
    get userActivation() { return { isActive: clicked }; },
    permissions: { query: async ({ name }) => {
      if (!(name in permission)) throw new TypeError(`unknown permission ${name}`);
      return { state: permission[name] };
    } },
  });
});

test('the extension is chosen when it announces itself', async () => {
  install();
  assert.deepEqual(await detect(), { transport: 'extension' });
  const p = await connect();
  assert.equal(p.transport, 'extension');
  assert.deepEqual(p.agent, hello);
  assert.deepEqual(await p.certificates(), []);
  assert.equal(sockets.length, 0);
});

test('without it the WebSocket is used, by literal address and subprotocol', async () => {
  assert.deepEqual(await detect(), { transport: 'websocket' });
  assert.equal(sockets.length, 0, 'detect opens no socket');
  const p = await connect({ lang: 'ru', client: 'test' });
  assert.equal(p.transport, 'websocket');
  assert.deepEqual([sockets[0].url, sockets[0].protocol], ['ws://127.0.0.1:24117', 'persten.v1']);
  assert.deepEqual(sockets[0].sent[0].params, { protocol: 'persten.v1', lang: 'ru', client: 'test' });
});

test('the ways of not being there are told apart', async () => {
  const refuse = () => true;
  const cases = [
    ['not running', { refuse, health: false }, 'agent_not_running', { transport: 'none', reason: 'agent_not_running' }],
    ['site not allowed', { refuse }, 'origin_not_allowed', { transport: 'websocket' }],
    ['browser denies', { state: 'denied' }, 'browser_permission', { transport: 'none', reason: 'browser_permission' }],
    ['browser would ask, nobody clicked', { state: 'prompt', clicked: false }, 'browser_permission_needed', { transport: 'websocket', reason: 'browser_permission_needed' }],
    ['browser asked, person closed the question', { state: 'prompt', refuse }, 'browser_permission', { transport: 'websocket', reason: 'browser_permission_needed' }],
    ['insecure page', { insecure: true }, 'context_insecure', { transport: 'none', reason: 'context_insecure' }],
  ];
  for (const [name, o, code, detected] of cases) {
    agent.refuse = o.refuse;
    health = o.health ?? true;
    permission = { 'loopback-network': o.state ?? 'granted' };
    clicked = o.clicked ?? true;
    define('isSecureContext', !o.insecure);
    assert.deepEqual(await detect(), detected, name);
    await assert.rejects(connect({ retryOrigin: false }), (e) => e instanceof PerstenError && e.code === code && e.next !== '', name);
  }
});

test('a browser that knows only the older permission name, or none', async () => {
  permission = { 'local-network-access': 'denied' };
  await assert.rejects(connect(), { code: 'browser_permission' });
  permission = {};
  assert.equal((await connect()).transport, 'websocket');
});

test("another program on the agent's port gets nothing", async () => {
  for (const impostor of [{}, { ...hello, protocol: 'http' }, { ...hello, origin: 'https://evil.example' }, null, 'hello']) {
    agent['agent.hello'] = () => impostor;
    await assert.rejects(connect(), { code: 'agent_unknown' });
    assert.deepEqual(sockets.at(-1).sent.map((m) => m.method), ['agent.hello']);
  }
});

test('an unknown site waits for the answer, over both ways', async () => {
  for (const way of ['extension', 'websocket']) {
    let asked = 0;
    const waited = [];
    if (way === 'extension') {
      install();
      agent['agent.hello'] = () => {
        if (asked++ === 0) throw { code: 'origin_not_allowed', args: { origin }, text: 'Not yet.', next: 'Answer.' };
        return hello;
      };
    } else {
      agent['agent.hello'] = () => hello;
      agent.refuse = () => asked++ === 0;
    }
    const p = await connect({ transport: way, onWaiting: (c) => waited.push(c) });
    assert.deepEqual([p.transport, waited, asked], [way, ['origin_not_allowed'], 2]);
  }
});

test('waiting for the answer can be left out or aborted, and a refusal ends it', async () => {
  install();
  agent['agent.hello'] = () => { throw { code: 'origin_not_allowed', args: {}, text: 'Not yet.', next: 'Answer.' }; };
  await assert.rejects(connect({ retryOrigin: false }), { code: 'origin_not_allowed' });
  const stop = new AbortController();
  await assert.rejects(connect({ signal: stop.signal, onWaiting: () => stop.abort() }), { name: 'AbortError' });
  agent['agent.hello'] = () => { throw { code: 'origin_denied', args: {}, text: 'No.', next: '' }; };
  await assert.rejects(connect(), { code: 'origin_denied' });
});

test('an extension without native messaging falls back only when nobody is asked', async () => {
  install({ code: 'agent_not_installed' });
  assert.equal((await connect()).transport, 'websocket');
  await assert.rejects(connect({ transport: 'extension' }), { code: 'agent_not_installed' });
  permission = { 'loopback-network': 'prompt' };
  await assert.rejects(connect(), { code: 'agent_not_installed' });
  permission = { 'loopback-network': 'granted' };
  health = false;
  agent.refuse = () => true;
  await assert.rejects(connect(), { code: 'agent_not_installed' }, 'the first reason is the useful one');
});

test('after a loss the next call connects again, and close is for good', async () => {
  const p = await connect();
  const heard = [];
  p.on('disconnected', (r) => heard.push(r.code));
  p.on('connected', () => heard.push('connected'));
  sockets[0].close();
  await settle();
  assert.deepEqual(await p.certificates(), []);
  assert.deepEqual(heard, ['agent_lost', 'connected']);
  assert.equal(sockets.length, 2);
  p.close();
  await settle();
  await assert.rejects(p.certificates(), { code: 'request_cancelled' });
  assert.equal(sockets.length, 2);
});

test('signCms sends what was asked, and nothing else', async () => {
  let asked;
  agent['sign.cms'] = (params) => {
    asked = params;
    return { signature: { inline: 'MAA=' }, certificate: 'c'.repeat(64), signingTime: '2026-11-22T10:00:00Z' };
  };
  const p = await connect();
  const r = await p.signCms(new File(['abc'], 'договор.txt', { type: 'text/plain' }), { certificate: 'A'.repeat(40), note: 'Order 7' });
  assert.deepEqual(asked, {
    certificate: 'a'.repeat(40), content: { inline: 'YWJj' }, attached: false, name: 'договор.txt', mime: 'text/plain', note: 'Order 7',
  });
  assert.deepEqual([[...r.signature], r.attached, r.size, r.signingTime.toISOString()], [[48, 0], false, 3, '2026-11-22T10:00:00.000Z']);
  await p.signCms('abc', { certificate: 'a'.repeat(40) });
  assert.deepEqual(Object.keys(asked).sort(), ['attached', 'certificate', 'content']);
});

test('verifyCms gives the document only when there is one', async () => {
  const asked = [];
  agent['verify.cms'] = (params) => (asked.push(params), { valid: true, attached: true, size: 3, signers: [] });
  const p = await connect();
  await p.verifyCms(new Uint8Array([48, 0]));
  await p.verifyCms(new Uint8Array([48, 0]), { content: 'abc' });
  assert.deepEqual(asked, [{ signature: { inline: 'MAA=' } }, { signature: { inline: 'MAA=' }, content: { inline: 'YWJj' } }]);
});

test('signXml sends the form that was asked for, and nothing else', async () => {
  let asked;
  agent['sign.xml'] = (params) => {
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
  await p.signXml('<a/>', { certificate: 'a'.repeat(40), place: { path: '//s' }, onProgress: () => undefined, signal: undefined });
  assert.deepEqual(asked, { certificate: 'a'.repeat(40), content: { inline: 'PGEvPg==' }, place: { path: '//s' } });
  await p.signXml('<a/>', { certificate: 'a'.repeat(40) });
  assert.deepEqual(Object.keys(asked).sort(), ['certificate', 'content']);
});

test('large XML goes and comes back in pieces, and is dropped on both ways', async () => {
  const document = `<a>${'x'.repeat(700_000)}</a>`;
  const held = new Map();
  const calls = [];
  agent = { ...agent,
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
  const r = await p.signXml(document, { certificate: 'a'.repeat(40) });
  assert.equal(new TextDecoder().decode(r.document), `${document}<!--signed-->`);
  await settle();
  assert.deepEqual([calls.sort(), held.size, r.size], [['in', 'out'], 0, document.length]);
});

test('verifyXml gives the names of Ids only when there are some', async () => {
  const asked = [];
  agent['verify.xml'] = (params) => (asked.push(params), { valid: true, attached: true, size: 4, signers: [] });
  const p = await connect();
  assert.equal((await p.verifyXml('<a/>')).valid, true);
  await p.verifyXml(new TextEncoder().encode('<a/>'), { idAttributes: ['ID'] });
  assert.deepEqual(asked, [{ content: { inline: 'PGEvPg==' } }, { content: { inline: 'PGEvPg==' }, idAttributes: ['ID'] }]);
});
