// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakePort, FakeWindow, settle } from '../fakes.mjs';
import { load } from '../load.mjs';

const { relay, nonce, DISCOVER, ANNOUNCE, MESSAGE_LIMIT } = await load('src/relay.ts', 'sdk/wire.ts');

function setup() {
  const page = new FakeWindow();
  const ports = [];
  relay(page, { version: '0.1.0', known: true, connect: () => (ports.push(new FakePort()), ports.at(-1)) });
  return { page, ports };
}

function ticketOf(page) {
  let found;
  const asked = nonce();
  const listen = (e) => (found = JSON.parse(e.detail));
  page.addEventListener(ANNOUNCE, listen);
  page.dispatchEvent(new CustomEvent(DISCOVER, { detail: JSON.stringify({ nonce: asked }) }));
  page.removeEventListener(ANNOUNCE, listen);
  assert.equal(found.nonce, asked);
  assert.equal(found.agent, 'persten.agent');
  return found.ticket;
}

const say = (session, n, kind, body) => ({ persten: 'to-agent', session, n, kind, ...(body === undefined ? {} : { body }) });
const heard = (page) => page.posted.map((p) => p.data).filter((m) => m.persten === 'from-agent');

test('a session carries texts both ways, in order', () => {
  const { page, ports } = setup();
  const ticket = ticketOf(page);
  page.deliver(say(ticket, 1, 'open'));
  page.deliver(say(ticket, 2, 'rpc', '{"id":1}'));
  page.deliver(say(ticket, 3, 'rpc', '{"id":2}'));
  assert.deepEqual(ports[0].sent.map((m) => m.body), ['{"id":1}', '{"id":2}']);
  ports[0].receive({ kind: 'rpc', body: '{"result":1}' });
  assert.deepEqual(heard(page), [{ persten: 'from-agent', session: ticket, n: 1, kind: 'rpc', body: '{"result":1}' }]);
  assert.equal(page.posted[0].target, page.location.origin, 'never posted to *');
  page.deliver(say(ticket, 4, 'close'));
  assert.equal(ports[0].open, false);
});

test('1,000 forged messages: none is accepted', async () => {
  const { page, ports } = setup();
  const ticket = ticketOf(page);
  const spare = ticketOf(page);
  page.deliver(say(ticket, 1, 'open'));
  page.deliver(say(ticket, 2, 'rpc', '{"id":1}'));
  const next = () => say(ticket, 3, 'rpc', '{"forged":true}');
  const forgeries = [
    () => [next(), { source: new FakeWindow() }],
    () => [next(), { source: null }],
    () => [next(), { origin: 'https://evil.example' }],
    () => [next(), { origin: 'http://portal.example' }],
    () => [next(), { origin: 'null' }],
    () => [next(), { isTrusted: false }],
    () => [say(spare, 1, 'open'), { source: new FakeWindow() }],
    () => [say(spare, 1, 'open'), { origin: 'https://evil.example' }],
    () => [say(ticket, 2, 'rpc', '{"replayed":true}')],
    () => [say(ticket, 1, 'open')],
    () => [say(nonce(), 1, 'open')],
    () => [say(nonce(), 3, 'rpc', '{}')],
    () => [say(ticket, 4, 'rpc', '{"skips":true}')],
    () => [say(ticket, 3.5, 'rpc', '{}')],
    () => [say(undefined, 3, 'rpc', '{}')],
    () => [say(ticket.toUpperCase() + 'Z', 3, 'rpc', '{}')],
    () => [{ ...next(), persten: 'from-agent' }],
    () => [{ ...next(), kind: 'part' }],
    () => [{ ...next(), body: { an: 'object' } }],
    () => [[next()]],
    () => [JSON.stringify(next())],
    () => [null],
  ];
  for (let i = 0; i < 1000; i++) page.deliver(...forgeries[i % forgeries.length]());
  await settle();
  assert.equal(ports.length, 1, 'no port was opened');
  assert.equal(ports[0].sent.length, 1, 'nothing was forwarded');
  page.deliver(next());
  assert.equal(ports[0].sent.length, 2, 'the true page is still heard');
});

test('a page from an opaque origin is not heard', () => {
  const page = new FakeWindow('null');
  const ports = [];
  relay(page, { version: '0.1.0', known: true, connect: () => ports.push(new FakePort()) });
  page.deliver(say(ticketOf(page), 1, 'open'));
  assert.equal(ports.length, 0);
});

test('discovery without a proper nonce gets no answer', () => {
  const { page } = setup();
  let announced = 0;
  page.addEventListener(ANNOUNCE, () => announced++);
  for (const detail of [undefined, '', '{', '[]', '{}', '{"nonce":"1"}', JSON.stringify({ nonce: 'G'.repeat(32) }), { nonce: nonce() }]) {
    page.dispatchEvent(new CustomEvent(DISCOVER, { detail }));
  }
  assert.equal(announced, 0);
});

test('the page hears why a session ended', () => {
  const { page, ports } = setup();
  const reasons = () => heard(page).filter((m) => m.kind === 'close').map((m) => m.reason.code);
  const open = () => {
    const ticket = ticketOf(page);
    page.deliver(say(ticket, 1, 'open'));
    return ticket;
  };
  open();
  ports.at(-1).receive({ kind: 'close', reason: { code: 'agent_not_installed' } });
  open();
  ports.at(-1).hangUp();
  page.deliver(say(open(), 2, 'rpc', 'x'.repeat(MESSAGE_LIMIT + 1)));
  assert.equal(ports.at(-1).sent.length, 0);
  open();
  page.emit('pagehide', {});
  assert.deepEqual(reasons(), ['agent_not_installed', 'agent_lost', 'request_too_large', 'agent_lost']);
  for (let i = 0; i < 17; i++) open();
  assert.equal(reasons().at(-1), 'request_limit');
});

test('an extension updated under the page says so', () => {
  const page = new FakeWindow();
  relay(page, { version: '0.1.0', known: true, connect: () => { throw new Error('Extension context invalidated.'); } });
  page.deliver(say(ticketOf(page), 1, 'open'));
  assert.equal(heard(page)[0].reason.code, 'extension_reloaded');
});

test('until the page asks, only the question is listened for; a document without an origin gets no answer at all', () => {
  const { page } = setup();
  assert.deepEqual([...page.listeners.keys()], [DISCOVER]);
  ticketOf(page);
  assert.deepEqual([...page.listeners.keys()].sort(), [DISCOVER, ANNOUNCE, 'message', 'pagehide'].sort());
  const sandboxed = new FakeWindow();
  sandboxed.origin = 'null';
  relay(sandboxed, { version: '0.1.0', known: true, connect: () => assert.fail('connected') });
  assert.equal(sandboxed.listeners.size, 0);
});

test('a copy that the host does not know lets the other answer first', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const page = new FakeWindow();
  const versions = [];
  page.addEventListener(ANNOUNCE, (e) => versions.push(JSON.parse(e.detail).version));
  relay(page, { version: 'copy', known: false, connect: () => new FakePort() });
  relay(page, { version: 'ours', known: true, connect: () => new FakePort() });
  page.dispatchEvent(new CustomEvent(DISCOVER, { detail: JSON.stringify({ nonce: nonce() }) }));
  assert.deepEqual(versions, ['ours']);
  t.mock.timers.tick(100);
  assert.deepEqual(versions, ['ours', 'copy']);
});
