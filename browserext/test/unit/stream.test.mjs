// SPDX-License-Identifier: GPL-3.0-or-later
// Large content on its way to the agent: every kind of data, over a stream and without one, and every way it can end.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { FakeTransport, settle } from '../fakes.mjs';
import { load } from '../load.mjs';

const { Connection, withContent, toSource } = await load('sdk/rpc.ts', 'sdk/content.ts');
const MiB = 1 << 20;

/** An agent that keeps documents. With a window it takes binary messages, and tells so after each quarter unless deaf. */
function agent({ window } = {}) {
  const a = { held: new Map(), opened: [], order: [], deaf: false, under: 0, most: 0, last: 0, largest: 0 };
  const streams = new Map();
  const methods = {
    'content.open': (p) => {
      const handle = `h${++a.last}`;
      const doc = { pieces: [], size: 0, told: 0, handle };
      a.held.set(handle, doc);
      a.opened.push(p);
      if (!window) return { handle };
      streams.set(a.last, doc);
      return { handle, stream: a.last, window };
    },
    'content.append': async ({ handle, data, size }) => {
      a.most = Math.max(a.most, ++a.under);
      const doc = a.held.get(handle);
      doc.pieces.push(Buffer.from(data, 'base64'));
      doc.size += doc.pieces.at(-1).length;
      assert.equal(size, doc.size);
      await settle();
      a.under--;
      return { size };
    },
    'content.close': ({ handle }) => ({ size: a.held.get(handle).size }),
    'content.drop': ({ handle }) => (a.held.delete(handle), {}),
  };
  a.t = new FakeTransport(async (m) => {
    a.order.push(m.method);
    await a.before?.(m);
    return methods[m.method](m.params);
  });
  a.tell = (method, params) => a.t.onmessage(JSON.stringify({ jsonrpc: '2.0', method, params }));
  if (window) {
    const take = async (message) => {
      const b = Buffer.from(await message.arrayBuffer());
      const doc = streams.get(b.readUInt32BE(0));
      assert.equal(b.readBigUInt64BE(4), BigInt(doc.size));
      doc.pieces.push(b.subarray(12));
      doc.size += b.length - 12;
      a.most = Math.max(a.most, doc.size - doc.told);
      a.order.push('binary');
      if (a.deaf || doc.size - doc.told < window / 4) return;
      setTimeout(() => a.tell('content.received', { handle: doc.handle, size: (doc.told = doc.size) }), 1);
    };
    let taking = Promise.resolve();
    a.t.sendBinary = (message) => {
      a.largest = Math.max(a.largest, message.size);
      taking = taking.then(() => take(message));
    };
    const { 'content.close': close } = methods;
    methods['content.close'] = async (p) => (await taking, close(p)); // messages are met in their order
  }
  a.c = new Connection(a.t, 'en');
  a.bytes = ({ handle, inline }) => (handle ? Buffer.concat(a.held.get(handle).pieces) : Buffer.from(inline, 'base64'));
  return a;
}

/** A stream that gives bytes in chunks of odd sizes, and notes when it is cancelled. */
function readable(bytes, chunk = 77_777) {
  let at = 0;
  const r = new ReadableStream({
    pull: (ctl) => (at < bytes.length ? ctl.enqueue(new Uint8Array(bytes.subarray(at, (at += chunk)))) : ctl.close()),
    cancel: (why) => void (r.cancelled = why ?? true),
  });
  r.isRead = () => at >= bytes.length;
  return r;
}

const kinds = {
  Blob: (b) => new Blob([b]),
  File: (b) => new File([b], 'f'),
  ArrayBuffer: (b) => new Uint8Array(b).buffer,
  Uint8Array: (b) => new Uint8Array(b),
  DataView: (b) => new DataView(new Uint8Array(b).buffer),
  Uint16Array: (b) => new Uint16Array(new Uint8Array(b).buffer),
  ReadableStream: (b) => readable(b),
  'ReadableStream in large chunks': (b) => readable(b, 3 * MiB),
};

for (const [way, o] of [['a stream', { window: 4 * MiB }], ['appends', {}]]) {
  test(`every kind of data arrives over ${way}`, async () => {
    for (const size of [0, 2, 262_144, 262_146, MiB, MiB + 2, 9 * MiB + 10]) {
      const bytes = randomBytes(size);
      for (const [kind, make] of Object.entries(kinds)) {
        const a = agent(o);
        const heard = [];
        const source = toSource(make(bytes));
        const seen = await withContent(a.c, source, { name: 'n', certificate: 'c' }, { onTransfer: (t) => heard.push(t) }, async (content) => a.bytes(content));
        assert.ok(bytes.equals(seen), `${kind}, ${size} bytes`);
        assert.equal(source.size, size, kind);
        await settle();
        assert.equal(a.held.size, 0, 'nothing is left behind');
        if (size <= 262_144) {
          assert.deepEqual([a.order, heard], [[], []]);
          continue;
        }
        const total = kind.startsWith('Readable') ? undefined : size;
        assert.deepEqual(a.opened, [{ name: 'n', ...(total && { size }), certificate: 'c' }]);
        assert.deepEqual(heard.at(-1), { stage: 'sending', sent: size, total });
        assert.ok(heard.every((t, i) => i === 0 || t.sent > heard[i - 1].sent));
        assert.equal(a.order.includes('binary'), way === 'a stream');
        assert.equal(a.order.includes('content.append'), way !== 'a stream');
        assert.ok(a.most <= (o.window ?? 4), `${a.most} under way`);
        if (size > 5 * MiB) assert.ok(a.most >= (o.window ? 3 * MiB : 3), 'what can be under way is');
      }
    }
  });

  test(`aborted at any point over ${way}, nothing is left with the agent`, async () => {
    const points = ['content.open', 'content.append', 'binary', 'content.close', 'use', 'stalled'];
    for (const point of points) {
      const a = agent(o);
      a.deaf = point === 'stalled';
      const stop = new AbortController();
      const abort = () => stop.abort();
      a.before = (m) => m.method === point && abort();
      const source = readable(randomBytes(9 * MiB));
      const onTransfer = ({ sent }) => ((point === 'binary' && sent > 2 * MiB) || (point === 'stalled' && sent >= 4 * MiB)) && abort();
      const work = withContent(a.c, toSource(source), { name: 'n' }, { signal: stop.signal, onTransfer }, async () => {
        if (point === 'use') abort();
        stop.signal.throwIfAborted();
        throw new Error('used');
      });
      const reached = !(way === 'a stream' ? ['content.append'] : ['binary', 'stalled']).includes(point);
      await assert.rejects(work, reached ? { name: 'AbortError' } : undefined, point);
      await settle();
      await settle();
      assert.equal(a.held.size, 0, point);
      assert.ok(source.cancelled || source.isRead(), `${point}: the source is let go`);
    }
  });
}

test('a stream that fails rejects with what the agent said, whether it is waiting or sending', async () => {
  for (const when of [1, 4]) {
    const a = agent({ window: 4 * MiB });
    a.deaf = true;
    const problem = { code: 'content_disk_full', args: {}, text: 'Full.', next: 'Free some.' };
    const onTransfer = ({ sent }) => {
      if (sent === when * MiB) setTimeout(() => a.tell('content.failed', { stream: 1, handle: 'h1', problem }), 1);
    };
    const work = withContent(a.c, toSource(readable(randomBytes(9 * MiB))), { name: 'n' }, { onTransfer }, () => assert.fail('used'));
    await assert.rejects(work, { name: 'PerstenError', code: 'content_disk_full', message: 'Full.', advice: 'Free some.' });
    await settle();
    assert.equal(a.held.size, 0);
  }
});

test('a lost connection ends a stream that waits', async () => {
  const a = agent({ window: 4 * MiB });
  a.deaf = true;
  const onTransfer = ({ sent }) => sent === 4 * MiB && setTimeout(() => a.t.onclose({ code: 'agent_lost' }), 1);
  const work = withContent(a.c, toSource(new Uint8Array(9 * MiB)), { name: 'n' }, { onTransfer }, () => assert.fail('used'));
  await assert.rejects(work, { code: 'agent_lost' });
});

test('a source that fails or gives no bytes ends the document', async () => {
  for (const [chunk, error] of [['text', TypeError], [undefined, Error]]) {
    const a = agent({ window: 4 * MiB });
    let n = 0;
    const source = new ReadableStream({
      pull: (ctl) => {
        if (++n < 4) ctl.enqueue(new Uint8Array(MiB));
        else if (chunk) ctl.enqueue(chunk);
        else ctl.error(new Error('disk pulled out'));
      },
    });
    await assert.rejects(withContent(a.c, toSource(source), { name: 'n' }, {}, () => assert.fail('used')), error);
    await settle();
    assert.equal(a.held.size, 0);
  }
});

test('a window too small for our pieces is not used', async () => {
  const a = agent({ window: MiB / 2 });
  const bytes = randomBytes(3 * MiB);
  const seen = await withContent(a.c, toSource(bytes), { name: 'n' }, {}, async (content) => a.bytes(content));
  assert.ok(bytes.equals(seen) && !a.order.includes('binary'));
});

test('of a file that cannot be read on its way it is said why; the next one is read in the page', async () => {
  const bytes = randomBytes(9 * MiB);
  const lost = async (file) => {
    const a = agent({ window: 4 * MiB });
    const onTransfer = () => a.t.onclose({ code: 'agent_lost' });
    await withContent(a.c, toSource(file), { name: 'n' }, { onTransfer }, () => assert.fail('used'));
  };
  const read = async () => {
    let slices = 0;
    const file = new File([bytes], 'f');
    const slice = file.slice.bind(file);
    file.slice = (...of) => (slices++, slice(...of));
    const a = agent({ window: 4 * MiB });
    assert.ok(bytes.equals(await withContent(a.c, toSource(file), { name: 'n' }, {}, async (content) => a.bytes(content))));
    return slices;
  };
  assert.equal(await read(), 9);
  const changed = new File([bytes], 'f');
  await assert.rejects(lost(Object.assign(changed, { slice: () => ({ size: MiB, arrayBuffer: () => Promise.reject(new Error('changed')) }) })));
  assert.equal(await read(), 0);
  await assert.rejects(lost(new File([bytes], 'f')), { code: 'agent_lost' });
});
