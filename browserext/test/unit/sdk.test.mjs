// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { FakeTransport, FakeWindow, settle } from '../fakes.mjs';
import { load, root } from '../load.mjs';

const sdk = await load(
  'sdk/extension.ts', 'sdk/rpc.ts', 'sdk/content.ts', 'sdk/errors.ts', 'sdk/texts.gen.ts', 'sdk/wire.ts');
const { Connection, ExtensionTransport, PerstenError, TEXTS, fill, discover, nonce, withContent, readContent, toSource, toBase64, fromBase64 } = sdk;

const from = (session, n, body, over = {}) => ({ persten: 'from-agent', session, n, kind: 'rpc', body, ...over });

test('1,000 forged messages from the agent: none is accepted', async () => {
  const page = new FakeWindow();
  const session = nonce();
  const t = new ExtensionTransport(page, session);
  const got = [];
  let closed = 0;
  t.onmessage = (text) => got.push(text);
  t.onclose = () => closed++;
  page.deliver(from(session, 1, 'true'));
  const forgeries = [
    () => [from(session, 2, 'x'), { source: new FakeWindow() }],
    () => [from(session, 2, 'x'), { source: null }],
    () => [from(session, 2, 'x'), { origin: 'https://evil.example' }],
    () => [from(session, 2, 'x'), { origin: 'null' }],
    () => [from(session, 2, 'x'), { isTrusted: false }],
    () => [from(session, 1, 'replayed')],
    () => [from(session, 3, 'skips')],
    () => [from(nonce(), 2, 'another session')],
    () => [from(undefined, 2, 'no session')],
    () => [from(session, '2', 'x')],
    () => [from(session, 2, { an: 'object' })],
    () => [{ ...from(session, 2, 'x'), persten: 'to-agent' }],
    () => [{ ...from(session, 2), kind: 'close', reason: { code: 'x' } }, { origin: 'https://evil.example' }],
    () => [null],
  ];
  for (let i = 0; i < 1000; i++) page.deliver(...forgeries[i % forgeries.length]());
  await settle();
  assert.deepEqual([got, closed], [['true'], 0]);
  page.deliver(from(session, 2, 'still heard'));
  assert.deepEqual(got, ['true', 'still heard']);
});

test('the page counts, and speaks to itself only', () => {
  const page = new FakeWindow();
  const t = new ExtensionTransport(page, nonce());
  t.send('a');
  t.send('b');
  t.close();
  t.send('c');
  assert.deepEqual(page.posted.map((p) => [p.data.n, p.data.kind, p.data.body]), [[1, 'open', undefined], [2, 'rpc', 'a'], [3, 'rpc', 'b'], [4, 'close', undefined]]);
  assert.ok(page.posted.every((p) => p.target === 'https://portal.example'));
});

test('discovery takes the answer to its own question, from Persten', async () => {
  const page = new FakeWindow();
  const ticket = nonce();
  page.addEventListener('persten:discover', (e) => {
    const asked = JSON.parse(e.detail).nonce;
    const answers = [
      'no json', { an: 'object' }, JSON.stringify({ agent: 'persten.agent', version: '1', nonce: nonce(), ticket: nonce() }),
      JSON.stringify({ agent: 'other.agent', version: '1', nonce: asked, ticket: nonce() }),
      JSON.stringify({ agent: 'persten.agent', version: '1', nonce: asked, ticket: 'short' }),
      JSON.stringify({ agent: 'persten.agent', version: '1', nonce: asked, ticket }),
    ];
    for (const detail of answers) page.dispatchEvent(new CustomEvent('persten:announce', { detail }));
  });
  assert.equal((await discover(page, 50)).ticket, ticket);
  assert.equal(await discover(new FakeWindow(), 20), undefined);
});

test('calls, errors, progress and notifications find their place', async () => {
  const t = new FakeTransport(({ method, id }) => {
    if (method === 'agent.status') return { state: 'ready' };
    t.onmessage(JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { request: id, step: 'waiting' } }));
    t.onmessage(JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { request: id, step: 'dancing' } }));
    t.onmessage(JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { request: 99, step: 'token' } }));
    throw { code: 'pin_incorrect', args: { attempts: '2', odd: 3 }, text: 'Неверный PIN-код.', next: 'Введите ещё раз.' };
  });
  const c = new Connection(t, 'ru');
  const heard = [];
  c.onnotification = (m) => heard.push(m);
  assert.deepEqual(await c.call('agent.status', {}), { state: 'ready' });
  const steps = [];
  const error = await c.call('sign.cms', {}, { onProgress: (s) => steps.push(s) }).catch((e) => e);
  assert.ok(error instanceof PerstenError && error instanceof Error);
  assert.deepEqual([error.code, error.args, error.message, error.advice], ['pin_incorrect', { attempts: '2' }, 'Неверный PIN-код.', 'Введите ещё раз.']);
  assert.deepEqual(steps, ['waiting']);
  for (const text of ['', '[]', '{"id":77,"result":1}', '{"method":"evil","id":3}', '{"method":"tokens.changed"}']) t.onmessage(text);
  assert.deepEqual(heard, ['tokens.changed']);
});

test('an aborted call is cancelled at the agent and rejects with its reason', async () => {
  const t = new FakeTransport();
  const c = new Connection(t, 'en');
  const stop = new AbortController();
  const call = c.call('sign.cms', {}, { signal: stop.signal });
  await settle();
  stop.abort();
  await assert.rejects(call, { name: 'AbortError' });
  assert.deepEqual(t.notifications, [{ jsonrpc: '2.0', method: '$/cancel', params: { id: 1 } }]);
  t.onmessage('{"id":1,"result":"too late"}');
  await assert.rejects(c.call('sign.cms', {}, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(t.requests.length, 1, 'an aborted signal sends nothing');
});

test('a lost connection rejects what waits and what comes', async () => {
  const t = new FakeTransport();
  const c = new Connection(t, 'en');
  const waiting = [c.call('agent.status', {}), c.call('tokens.list', {})];
  t.onclose({ code: 'agent_not_installed' });
  for (const w of [...waiting, c.call('agent.status', {})]) {
    await assert.rejects(w, { code: 'agent_not_installed', advice: 'Install Persten and reload the page.' });
  }
  assert.equal(c.alive, false);
});

test('an error without a catalogue code is internal, never undefined', async () => {
  const t = new FakeTransport();
  const c = new Connection(t, 'en');
  for (const [error, code] of [[{ code: -32603, message: 'internal error' }, 'internal'], ['nonsense', 'protocol_violation'], [{}, 'internal']]) {
    const call = c.call('agent.status', {});
    t.onmessage(JSON.stringify({ id: t.requests.at(-1)?.id, error }));
    await assert.rejects(call, (e) => e.code === code && e.message.length > 0);
  }
});

test('places and clauses of texts are filled as the agent fills them', async () => {
  const cases = JSON.parse(await readFile(path.join(root, '../proto/testdata/fill.json'), 'utf8'));
  assert.ok(cases.length >= 10);
  for (const { template, args, text } of cases) assert.equal(fill(template, args), text, template);
  assert.equal(new PerstenError({ code: 'request_limit', args: { limit: '64' } }).message, 'Too many requests at once: the limit is 64.');
  assert.equal(new PerstenError({ code: 'request_limit' }).message, 'Too many requests at once.');
});

/** The codes in the sources of this side, except internal, whose words always come along, and the empty one of events. */
async function raised() {
  const files = ['sdk', 'src'].map(async (dir) => (await readdir(path.join(root, dir))).filter((f) => /(?<!\.gen)\.ts$/.test(f)).map((f) => path.join(root, dir, f)));
  const sources = await Promise.all((await Promise.all(files)).flat().map((f) => readFile(f, 'utf8')));
  const found = sources.flatMap((s) => [...s.matchAll(/\bcode: .*/g)].flatMap(([line]) => [...line.matchAll(/'([a-z]+_[a-z_]+)'/g)].map((m) => m[1])));
  return new Set(found);
}

test('every code this side raises has words in both languages, and no others have', async () => {
  const codes = await raised();
  const turned = ['origin_invalid', 'origin_denied']; // what words of others are turned into: a table, not a literal with code:
  assert.deepEqual([...codes, ...turned].sort(), Object.keys(TEXTS).sort());
  for (const code of codes) {
    const [ru, en] = ['ru', 'en'].map((lang) => new PerstenError({ code }, lang));
    assert.ok(/[а-я]/.test(ru.message) && /[а-я]/.test(ru.advice), code);
    assert.ok(/^[\x20-\x7e]+$/.test(en.message + en.advice) && en.advice.length > 5, code);
  }
});

/** An agent that only keeps content. */
function store() {
  const held = new Map();
  let n = 0;
  const methods = {
    'content.open': () => (held.set(`h${++n}`, []), { handle: `h${n}` }),
    'content.append': ({ handle, data }) => (held.get(handle).push(Buffer.from(data, 'base64')), { size: 0 }),
    'content.close': () => ({ size: 0 }),
    'content.drop': ({ handle }) => (held.delete(handle), {}),
    'content.read': ({ handle, offset, length }) => {
      const all = Buffer.concat(held.get(handle));
      return { data: all.subarray(offset, offset + length).toString('base64'), eof: offset + length >= all.length };
    },
  };
  const t = new FakeTransport(({ method, params }) => methods[method](params));
  return { t, held, c: new Connection(t, 'en'), calls: () => t.requests.map((r) => r.method) };
}

test('content travels inline up to 256 KiB, in pieces of 500 KiB above, and is dropped', async () => {
  for (const [size, pieces] of [[0, 0], [1, 0], [262144, 0], [262145, 1], [512_000, 1], [512_001, 2], [1_024_000, 2], [1_024_001, 3], [3_000_000, 6]]) {
    const { held, c, calls } = store();
    const bytes = randomBytes(size);
    const seen = await withContent(c, toSource(new Uint8Array(bytes)), { name: 'a.bin' }, {}, async (content) =>
      content.inline === undefined ? Buffer.concat(held.get(content.handle)) : Buffer.from(content.inline, 'base64'));
    assert.ok(bytes.equals(seen), `${size} bytes`);
    await settle();
    assert.equal(calls().filter((m) => m === 'content.append').length, pieces);
    assert.equal(held.size, 0, 'nothing is left behind');
  }
});

test('content is dropped when its use fails or is aborted', async () => {
  const { t, held, c, calls } = store();
  const big = () => toSource(new Uint8Array(2_000_000));
  await assert.rejects(withContent(c, big(), { name: 'x' }, {}, () => Promise.reject(new Error('no'))), /no/);
  const stop = new AbortController();
  const answer = t.answer;
  t.answer = (m) => (m.method === 'content.append' && stop.abort(), answer(m));
  await assert.rejects(withContent(c, big(), { name: 'x' }, { signal: stop.signal }, () => assert.fail('used after abort')), { name: 'AbortError' });
  await settle();
  assert.equal(held.size, 0);
  assert.equal(calls().filter((m) => m === 'content.drop').length, 2);
});

test('a large result is read in pieces and dropped', async () => {
  const { held, c } = store();
  const bytes = randomBytes(1_200_000);
  held.set('r', [bytes]);
  assert.ok(bytes.equals(await readContent(c, { handle: 'r' }, {})));
  await settle();
  assert.equal(held.size, 0);
  assert.deepEqual([...(await readContent(c, { inline: 'AQID' }, {}))], [1, 2, 3]);
});

test('base64 is there and back for every length', () => {
  for (const size of [0, 1, 2, 3, 32767, 32768, 32769, 100_001]) {
    const bytes = randomBytes(size);
    assert.equal(toBase64(bytes), bytes.toString('base64'));
    assert.ok(bytes.equals(fromBase64(toBase64(bytes))));
  }
});

test('text is signed as its UTF-8 bytes', async () => {
  for await (const piece of toSource({ text: 'Привет' }).pieces(100)) assert.deepEqual(Buffer.from(piece), Buffer.from('Привет', 'utf8'));
});
