// SPDX-License-Identifier: GPL-3.0-or-later
// Pages, frames and extensions that lie, forge and flood, in both browsers, against a stand-in host: what gets through, and to whom.
import assert from 'node:assert/strict';
import test from 'node:test';
import { browsers } from './browsers.mjs';
import { serve, workshop } from './chromium.mjs';
import { until } from './desktop.mjs';
import { standIn, WIRE } from './wire.mjs';

/** A page with frames of its own site, of another, sandboxed both, and without an address. */
const frames = (other) => `${WIRE}<iframe src="page.html"></iframe><iframe src="${other}/page.html"></iframe>
  <iframe sandbox="allow-scripts" src="page.html"></iframe><iframe sandbox="allow-scripts" src="${other}/page.html"></iframe>`;

for (const browser of Object.values(browsers)) {
  test(browser.name, { skip: browser.missing, timeout: 180_000 }, async (t) => {
    const shop = await workshop();
    const seen = await standIn(browser, shop.dir);
    const widget = await serve('sdk', { 'page.html': WIRE });
    const other = `http://localhost:${widget.port}`;
    const site = await serve('sdk', { 'page.html': WIRE, 'frames.html': frames(other), 'plain.html': '<!doctype html><title>plain</title><p>Обычная страница</p>' });
    const running = await browser.start(shop.dir, { env: { ...process.env, HOME: `${shop.dir}/home` } });
    t.after(async () => {
      await running.close();
      for (const s of [widget, site, shop]) await s.end();
    });
    const open = async (name) => {
      const page = await running.newPage();
      await page.goto(`${site.origin}/${name}`);
      return page;
    };
    const framed = async () => {
      const page = await open('frames.html');
      const children = await until(async () => page.frames().length === 5 && page.frames().slice(1), 'four frames');
      for (const f of children) await until(() => f.evaluate(() => typeof Raw === 'function').catch(() => false), 'the frame');
      return { page, children };
    };

    await t.test('frames: the browser names both sites; a frame without an origin is not answered', async () => {
      const { page, children } = await framed();
      const connect = (f) => f.evaluate(() => Persten.connect({ transport: 'extension', retryOrigin: false }).then((p) => p.agent.origin, (e) => e.code));
      const got = [];
      for (const f of children) got.push(await connect(f));
      assert.deepEqual(got, [site.origin, other, 'agent_not_installed', 'agent_not_installed']);
      const from = (await seen()).filter((e) => e.kind === 'open').slice(-2).map((e) => [e.from.origin, e.from.top, e.from.frame === '0', e.from.extension]);
      assert.deepEqual(from, [[site.origin, site.origin, false, browser.extension], [other, site.origin, false, browser.extension]]);
      await page.close();
    });

    await t.test('1,000 forged messages to the content script and 1,000 to the SDK: none accepted', async () => {
      const { page, children } = await framed();
      const rounds = 100;
      const { session, n } = await page.evaluate(forgeHere, rounds);
      for (const f of children) await f.evaluate(forgeFromFrame, { session, n, rounds });
      const after = await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)).then(() => target.check()));
      assert.deepEqual(after, { pending: true, sdk: 'signed:ok', raw: true }, 'the calls in flight wait on, and the true conversation goes on');
      const forged = (await seen()).filter((e) => JSON.stringify(e).includes('forged'));
      assert.equal(forged.length, 0);
      t.diagnostic(`${browser.name}: forged to the content script ${rounds * 10}, to the SDK ${rounds * 10}; accepted 0`);
      await page.close();
    });

    await t.test('a flood of 10,000 ends with its own session, and another tab goes on', async () => {
      const [flood, calm] = [await open('page.html'), await open('page.html')];
      await calm.evaluate(async () => { window.p = await Persten.connect({ transport: 'extension' }); });
      const before = (await seen()).length;
      await flood.evaluate(() => {
        window.raw = new Raw();
        for (let i = 0; i < 10_000; i++) raw.call(i, 'sign.cms', { note: 'forever', certificate: 'c'.repeat(64), content: { inline: '' } });
      });
      const took = await calm.evaluate(async () => {
        const start = performance.now();
        await window.p.certificates();
        return performance.now() - start;
      });
      assert.deepEqual(await flood.evaluate(() => raw.closed()), { code: 'request_limit', args: { limit: '256' } });
      const through = (await seen()).length - before;
      assert.ok(through < 300, `${through} messages reached the host`);
      assert.ok(took < 10_000, `the other tab waited ${took} ms`);
      t.diagnostic(`${browser.name}: of 10,000 messages ${through} reached the host; the other tab's answer took ${Math.round(took)} ms`);
      await flood.close();
      await calm.close();
    });

    await t.test('every limit has its error, and the next session works', async () => {
      const page = await open('page.html');
      const reasons = await page.evaluate(async () => {
        const ends = async (spoil) => {
          const raw = new Raw();
          spoil(raw);
          return (await raw.closed()).code;
        };
        return {
          huge: await ends((r) => r.say('rpc', `{"id":1,"x":"${'x'.repeat(4 << 20)}"}`)),
          text: await ends((r) => r.say('rpc', '{')),
          list: await ends((r) => r.say('rpc', '[]')),
          twice: await ends((r) => [1, 1].forEach((id) => r.call(id, 'sign.cms', { note: 'forever', content: { inline: '' } }))),
          cancels: await ends((r) => r.say('rpc', '{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}')),
          sessions: await (async () => {
            const all = Array.from({ length: 17 }, () => new Raw());
            const { code } = await all.at(-1).closed();
            all.forEach((r) => r.say('close'));
            return code;
          })(),
          tickets: await (async () => {
            const [first] = tickets();
            for (let i = 0; i < 10_000; i++) tickets();
            const raw = new Raw(first);
            return raw.answer(() => true, 300).then(() => 'opened', () => 'forgotten');
          })(),
          next: await Persten.connect({ transport: 'extension' }).then((p) => p.agent.origin),
        };
      });
      assert.deepEqual(reasons, {
        huge: 'request_too_large', text: 'request_malformed', list: 'request_malformed', twice: 'request_malformed', cancels: 'request_limit',
        sessions: 'request_limit', tickets: 'forgotten', next: site.origin,
      });
      await page.close();
    });

    await t.test('two tabs at once: each hears its own answers', async () => {
      const pages = await Promise.all([open('page.html'), open('page.html')]);
      const signed = await Promise.all(pages.map((page, tab) => page.evaluate(async (name) => {
        const p = await Persten.connect({ transport: 'extension' });
        const all = await Promise.all(Array.from({ length: 20 }, (_, i) => p.signCms({ text: `${name}-${i}` }, { certificate: 'c'.repeat(64) })));
        return all.map((s) => new TextDecoder().decode(s.signature));
      }, `tab${tab}`)));
      assert.deepEqual(signed, [0, 1].map((tab) => Array.from({ length: 20 }, (_, i) => `signed:tab${tab}-${i}`)));
      await Promise.all(pages.map((p) => p.close()));
    });

    await t.test('a page that does not use us: not a word in its console, nothing in its window, no call to the host', async () => {
      const opened = async () => (await seen()).filter((e) => e.kind === 'open').length;
      const before = await opened();
      const page = await running.newPage();
      const said = [];
      page.on('console', (m) => said.push(m.text()));
      page.on('pageerror', (e) => said.push(e.message));
      for (const name of ['plain.html', 'frames.html']) {
        await page.goto(`${site.origin}/${name}`);
        await page.evaluate(() => new Promise((resolve) => {
          for (const m of ['x', 1, null, { persten: 'to-agent' }, { persten: 'to-agent', session: {}, n: {}, kind: 'open' }]) postMessage(m, '*');
          dispatchEvent(new CustomEvent('persten:discover', { detail: 7 }));
          setTimeout(resolve, 300);
        }));
        assert.deepEqual(await page.evaluate(() => Object.keys(globalThis).filter((k) => /persten|chrome-ext|cades|rutoken/i.test(k))), name === 'plain.html' ? [] : ['Persten']);
      }
      assert.deepEqual(said, []);
      assert.equal(await opened(), before);
      await page.close();
    });
  });
}

/**
 * Runs in the page: opens a session by hand and one by the SDK, each with a call in flight, and forges from here. window.target
 * then tells whether anything was believed. Resolves to what a forger in a frame could know at best.
 */
async function forgeHere(rounds) {
  let sdk;
  const spy = (e) => { if (e.data?.persten === 'to-agent') sdk = e.data; };
  addEventListener('message', spy);
  const p = await Persten.connect({ transport: 'extension' });
  const mine = sdk.session;
  let pending = true;
  void p.signCms({ text: 'x' }, { certificate: 'c'.repeat(64), note: 'forever' }).then(() => (pending = false), () => (pending = false));
  const over = new Raw();
  over.say('close');
  const raw = new Raw();
  raw.call(1, 'certificates.list');
  await raw.answer((m) => m.kind === 'rpc');
  removeEventListener('message', spy);
  const rpc = '{"jsonrpc":"2.0","id":7,"method":"forged"}';
  const answer = '{"jsonrpc":"2.0","id":2,"result":{"forged":true}}';
  const to = (o) => ({ persten: 'to-agent', session: raw.session, n: raw.n + 1, kind: 'rpc', body: rpc, ...o });
  const from = (o) => ({ persten: 'from-agent', session: mine, n: 1000, kind: 'rpc', body: answer, ...o });
  const post = (m) => postMessage(m, '*');
  const synthetic = (data) => dispatchEvent(new MessageEvent('message', { data, origin: location.origin, source: window }));
  // Six kinds from here; each of the four frames adds one more, which makes ten.
  for (let i = 0; i < rounds; i++) {
    for (const m of [to, from]) {
      post(m({ session: undefined })); // no nonce
      post(m({ session: over.session, n: i })); // a session that is over, its ticket used again among them
      post(m({ n: [0, -1, 1.5, '3', null, 2 ** 53, 900 + i][i % 7] })); // a wrong number
      post(m({ body: [{}, 7, null, ['x'], undefined][i % 5], ...(i % 2 ? {} : { kind: ['part', 'OPEN', 7, null][i % 4] }) })); // a wrong type
      synthetic(m({ n: 3 + i % 3 })); // an event that no browser made
      post(m({ session: hexOf(i), kind: i % 2 ? 'open' : 'rpc', n: 1, body: 'x'.repeat(i % 50 ? 10 : 5 << 20) })); // nobody's nonce, also huge
    }
  }
  function hexOf(i) {
    return i.toString(16).padStart(32, '0');
  }
  window.target = {
    async check() {
      const next = await p.signCms({ text: 'ok' }, { certificate: 'c'.repeat(64) }).then((s) => new TextDecoder().decode(s.signature), (e) => String(e));
      raw.call(8, 'certificates.list');
      const going = await raw.answer((m) => m.kind === 'rpc' && JSON.parse(m.body).id === 8).then(() => true, () => false);
      return { pending, sdk: next, raw: going };
    },
  };
  return { session: { to: raw.session, from: mine }, n: { to: raw.n + 1, from: raw.heard.length + 1 } };
}

/** Runs in a frame that somehow knows the sessions and the next numbers. */
function forgeFromFrame({ session, n, rounds }) {
  for (let i = 0; i < rounds; i++) {
    parent.postMessage({ persten: 'to-agent', session: session.to, n: n.to + (i % 3), kind: 'rpc', body: '{"jsonrpc":"2.0","id":7,"method":"forged"}' }, '*');
    parent.postMessage({ persten: 'from-agent', session: session.from, n: 1 + i % 8, kind: 'rpc', body: '{"jsonrpc":"2.0","id":2,"result":{"forged":true}}' }, '*');
  }
}
