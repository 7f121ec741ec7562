// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeTransport, settle } from '../fakes.mjs';
import { load } from '../load.mjs';

const { signBatch } = await load('sdk/batch.ts');
const { Connection } = await load('sdk/rpc.ts');

const form = { certificate: 'ab' };
const start = (t, documents, o = {}) => signBatch(new Connection(t, 'en'), 'en', documents, form, o);
const item = (index, more) => JSON.stringify({ jsonrpc: '2.0', method: 'batch.item', params: { request: 1, index, ...more } });
const result = (states) => JSON.stringify({ jsonrpc: '2.0', id: 1, result: {
  certificate: 'ab', signed: states.filter((s) => s === 'signed').length, failed: 0,
  notSigned: states.filter((s) => s === 'not_signed').length, items: states.map((state) => ({ state })),
  ...(states.includes('not_signed') && { stopped: { code: 'request_cancelled', args: {}, text: 'stopped', next: '' } }),
} });

test('signatures come as they are made, and together in the account', async () => {
  const t = new FakeTransport();
  const seen = [];
  const counts = [];
  const batch = start(t, [{ data: { text: 'one' }, id: 'a' }, { data: { text: 'two' }, name: 'two.txt' }], { onItem: (i) => seen.push(i.index), onCount: (...n) => counts.push(n) });
  await settle();
  const [{ method, params }] = t.requests;
  assert.equal(method, 'sign.batch');
  assert.deepEqual(params.items, [{ content: { inline: 'b25l' }, id: 'a', mime: undefined }, { content: { inline: 'dHdv' }, name: 'two.txt' }].map(({ mime, ...i }) => i));
  t.onmessage(item(1, { signature: { inline: 'Ag==' }, signingTime: '2026-03-02T09:15:00Z' }));
  await settle();
  assert.deepEqual(seen, [1], 'before the batch is over');
  t.onmessage(JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { request: 1, step: 'signing', done: 1, total: 2 } }));
  t.onmessage(item(0, { id: 'a', error: { code: 'content_changed', args: {}, text: 'changed', next: '' } }));
  t.onmessage(result(['failed', 'signed']));
  const account = await batch;
  assert.deepEqual(counts, [[1, 2]]);
  assert.equal(account.items[0].error.code, 'content_changed');
  assert.deepEqual([...account.items[1].signature], [2]);
  assert.deepEqual(account.states, ['failed', 'signed']);
});

test('an abort stops the batch and still gives its account', async () => {
  const t = new FakeTransport();
  const stop = new AbortController();
  const batch = start(t, [{ data: { text: 'one' } }, { data: { text: 'two' } }], { signal: stop.signal });
  await settle();
  t.onmessage(item(0, { signature: { inline: 'AQ==' } }));
  stop.abort();
  assert.deepEqual(t.notifications, [{ jsonrpc: '2.0', method: '$/cancel', params: { id: 1 } }]);
  t.onmessage(result(['signed', 'not_signed']));
  const account = await batch;
  assert.equal(account.signed, 1);
  assert.equal(account.notSigned, 1);
  assert.equal(account.stopped.code, 'request_cancelled');
});
