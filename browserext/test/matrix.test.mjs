// SPDX-License-Identifier: GPL-3.0-or-later
// The browser matrix: {Chromium, Firefox ESR} x {native messaging, WebSocket} x what a portal does through the SDK. The portal is
// an https page the browser takes for one from the internet, so that its local-network rules hold; a real session, a SoftHSM
// key, and a person who reads the window and types. OpenSSL and xmlsec1 judge what comes back.
import assert from 'node:assert/strict';
import { createHash, verify, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, afterEach, before, describe } from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { insideFirefox } from './firefox.mjs';
import { root } from './load.mjs';
import { startSite } from './site.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const unbuilt = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const { methods } = JSON.parse(readFileSync(path.join(root, '../proto/persten.openrpc.json'), 'utf8'));
const noLogin = !methods.some((m) => m.name === 'auth.respond') && 'NOT RUN: the agent has no auth.respond';

const SITE = 'portal.example.test';
const text = Buffer.from('Прошу предоставить мне отпуск с 1 по 14 июня.');
const xml = '<?xml version="1.0" encoding="UTF-8"?>\n<заявление><дни>14</дни></заявление>';
const MIB = 1 << 20;
const LARGE = 300;

const page = `<!doctype html><meta charset="utf-8"><title>Портал</title><button id="go">Go</button><script src="persten.js"></script>
<script>
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64 = (u) => { let s = ''; for (let i = 0; i < u.length; i += 32768) s += String.fromCharCode(...u.subarray(i, i + 32768)); return btoa(s); };
  const failed = (e) => ({ error: typeof e.code === 'string' ? e.code : e.name, text: e.message, advice: e.advice });
</script>`;

/** Firefox 153 checks WebSockets only when told to. */
const FIREFOX_RULES = { 'network.lna.enabled': true, 'network.lna.blocking': true, 'network.lna.websocket.enabled': true };

let desktop, large;
before(async () => {
  if (unbuilt) return;
  desktop = await startDesktop();
  large = Buffer.alloc(LARGE * MIB, 'Persten\n');
});
after(() => desktop?.end());

/** One cell of browsers and transports: a session, a portal and a browser of its own. */
class Cell {
  constructor(kind, transport) {
    Object.assign(this, { kind, transport, driver: browsers[kind] });
  }

  async start() {
    this.shop = await workshop();
    this.site = await startSite(this.shop.dir, SITE, { pages: { '/': page } });
    this.agent = await startAgent(this.shop.dir, desktop.env, [this.site.origin]);
    await this.driver.registerHost(this.shop.dir, `"${persten}"`);
    this.browser = await this.driver.start(this.shop.dir, {
      env: this.agent.env, extension: this.transport === 'extension', hosts: [SITE], publicPort: this.site.port,
      ...(this.kind === 'firefox' && { prefs: FIREFOX_RULES }),
    });
    this.page = await this.open();
  }

  async end() {
    await this.browser?.close();
    for (const s of [this.agent, this.site, this.shop]) await s?.end();
  }

  async open() {
    const p = await this.browser.newPage();
    await p.goto(this.site.origin);
    return p;
  }

  /** Connects as a person would have it: by a click. What came of it is in outcome. */
  async click(p = this.page) {
    await p.evaluate((o) => {
      window.came = undefined;
      document.getElementById('go').onclick = () => Persten.connect({ ...o, retryOrigin: false })
        .then((x) => (window.p = x, window.came = { transport: x.transport }), (e) => { window.came = failed(e); });
    }, { port: this.agent.port, transport: this.transport });
    await p.click('#go');
  }

  outcome(p = this.page) {
    return until(() => p.evaluate(() => window.came), 'the connection');
  }

  permission(p = this.page) {
    return p.evaluate(async () => (await navigator.permissions.query({ name: 'loopback-network' })).state);
  }

  /** Runs f in the page with the certificate, and the person's keys once the window is there; resolves to what f gave. */
  async asked(f, arg, keys, ms) {
    const made = this.page.evaluate(f, { certificate: this.certificate, ...arg });
    made.catch(() => undefined);
    await Promise.race([desktop.prompt(ms), made.then((m) => Promise.reject(new Error(`nobody was asked: ${JSON.stringify(m)}`)))]);
    await keys();
    return made;
  }

  async signed(f, arg, ms) {
    const made = await this.asked(f, arg, () => desktop.insist(PIN), ms);
    await desktop.dismiss();
    assert.equal(made.error, undefined, made.text);
    return made;
  }

  /** How many records the journal has. */
  async records() {
    return (await this.agent.journal()).at(-1)?.seq ?? 0;
  }

  /** The keys used since the journal had n records, by name of document. */
  async intents(n) {
    return (await this.agent.journal()).filter((r) => r.seq > n && r.type === 'begin').flatMap((r) => r.documents.map((d) => d.name));
  }
}

const signCms = async ({ certificate, document, name, attached }) => {
  const s = await window.p.signCms(bytes(document), { certificate, name, attached }).catch(failed);
  return s.error ? s : { signature: base64(s.signature), size: s.size };
};
const plain = (name, more) => ({ document: text.toString('base64'), name, ...more });
const der = (made) => Buffer.from(made.signature, 'base64');

/** The permission of a WebSocket to this computer: refused first, and the SDK says so; then given. */
const permit = {
  async chromium(x) {
    await x.click();
    assert.equal((await x.outcome()).error, 'browser_permission', 'without a screen Chromium refuses by itself');
    await x.browser.grantPermissions(['local-network-access'], { origin: x.site.origin });
  },
  async firefox(x) {
    await x.click();
    await press(x.browser, 'secondaryButton');
    assert.equal((await x.outcome()).error, 'browser_permission');
    await x.page.close();
    x.page = await x.open();
    await x.click();
    await press(x.browser, 'button');
  },
};

/** Presses a button of Firefox's question about this computer. */
async function press(browser, button) {
  const at = "document.querySelector('popupnotification#loopback-network-notification')";
  await until(() => insideFirefox(browser, `!!${at} && PopupNotifications.isPanelOpen`), "the browser's question");
  await pause(600); // its buttons are dead at first, so that nobody presses by accident
  await insideFirefox(browser, `${at}.${button}.click()`);
}

const granting = { chromium: 'granted by the driver', firefox: 'asked by preference, and the question answered on its own buttons by script' };

for (const kind of Object.keys(browsers)) {
  for (const transport of ['extension', 'websocket']) {
    describe(`${browsers[kind].name} over ${transport === 'extension' ? 'native messaging' : 'WebSocket'}`, () => matrix(new Cell(kind, transport)));
  }
}

function matrix(x) {
  const impossible = unbuilt || x.driver.missing;
  const row = (name, f, skip = false) => test(name, { timeout: 150_000, skip: impossible || skip }, f);
  before(() => impossible || x.start());
  afterEach(() => impossible || desktop.dismiss()); // what a failed row left must not get the next one's keys
  after(() => x.end());

  if (x.transport === 'extension') {
    row('connects from a public page without any permission of the browser', async () => {
      assert.equal(await x.permission(), 'prompt');
      await x.click();
      assert.deepEqual(await x.outcome(), { transport: 'extension' });
      assert.equal(await x.permission(), 'prompt');
    });
  } else {
    row(`is blocked, and the SDK says by whom; then permission is ${granting[x.kind]}`, async () => {
      assert.equal(await x.permission(), 'prompt');
      await permit[x.kind](x);
      await until(async () => (await x.permission()) === 'granted', 'the permission');
      if (!(await x.page.evaluate(() => window.came?.transport))) await x.click();
      assert.deepEqual(await x.outcome(), { transport: 'websocket' });
    });
  }

  row('list', async () => {
    const list = await x.page.evaluate(async () => (await window.p.certificates()).map((c) => c.id));
    assert.deepEqual(list, [createHash('sha256').update(readFileSync(path.join(x.shop.dir, 'leaf.der'))).digest('hex')]);
    [x.certificate] = list;
  });

  row('sign detached', async () => {
    const made = await x.signed(signCms, plain('заявление.txt'));
    assert.equal(made.size, text.length);
    await x.agent.opensslVerify(der(made), text);
    await assert.rejects(x.agent.opensslVerify(der(made), `${text}!`));
  });

  row('sign attached', async () => {
    const made = await x.signed(signCms, plain('заявление.txt', { attached: true }));
    assert.deepEqual(await x.agent.opensslVerify(der(made)), text);
  });

  row('sign XML', async () => {
    const { document } = await x.signed(async ({ certificate, given }) => {
      const s = await window.p.signXml(new TextEncoder().encode(given), { certificate }).catch(failed);
      return s.error ? s : { document: new TextDecoder().decode(s.document) };
    }, { given: xml });
    await x.agent.xmlsecVerify(document);
    await assert.rejects(x.agent.xmlsecVerify(document.replace('>14<', '>41<')));
  });

  row('batch', async () => {
    const documents = [1, 2, 3].map((n) => `Приказ № ${n}`);
    const { items } = await x.signed(async ({ certificate, given }) => {
      const list = given.map((d, i) => ({ data: new TextEncoder().encode(d), id: `d${i}`, name: `приказ-${i}.txt` }));
      const a = await window.p.signBatch(list, { certificate }).catch(failed);
      return a.error ? a : { items: a.items.map((i) => ({ id: i.id, signature: base64(i.signature) })) };
    }, { given: documents });
    assert.deepEqual(items.map((i) => i.id), ['d0', 'd1', 'd2']);
    for (const [i, d] of documents.entries()) await x.agent.opensslVerify(der(items[i]), d);
  });

  row('login', () => login(x), noLogin);
  row(`${LARGE} MiB with progress; aborted on its way the first time`, (t) => sendLarge(x, t));

  row('abort', async () => {
    const seen = await x.records();
    const made = await x.asked(async ({ certificate, document }) => {
      window.stop = new AbortController();
      return window.p.signCms(bytes(document), { certificate, name: 'abort', signal: window.stop.signal }).catch(failed);
    }, plain(), () => x.page.evaluate(() => window.stop.abort()));
    assert.equal(made.error, 'AbortError');
    await desktop.gone();
    assert.deepEqual(await x.intents(seen), []);
  });

  row('reject', async () => {
    const seen = await x.records();
    const made = await x.asked(signCms, plain('reject'), () => desktop.reject());
    assert.equal(made.error, 'user_rejected');
    assert.match(made.advice, /\S/);
    await desktop.dismiss();
    assert.deepEqual(await x.intents(seen), []);
  });

  row('wrong PIN, then the right one', async () => {
    const seen = await x.records();
    const wrong = async () => (await x.agent.journal()).filter((r) => r.seq > seen && r.kind === 'pin').map((r) => r.result);
    const made = await x.asked(signCms, plain('pin.txt'), async () => {
      for (let tries = 0; tries < 5 && (await wrong()).length === 0; tries++) { // a window drawn late takes no keys
        await desktop.enter('11111111');
        await until(async () => (await wrong()).length > 0, 'the wrong PIN to be noticed', 5_000).catch(() => undefined);
      }
      await pause(1_500); // the question is drawn anew
      assert.equal((await desktop.windows()).length, 1, 'the window stays');
      await desktop.insist(PIN);
    });
    await desktop.dismiss();
    assert.deepEqual([[...new Set(await wrong())], await x.intents(seen)], [['pin_incorrect'], ['pin.txt']]);
    await x.agent.opensslVerify(der(made), text);
  });

  row('agent killed while the person is asked, and restarted', () => killedAsking(x));
  row('agent killed in the middle of a batch, and restarted: nothing is signed twice', () => killedSigning(x));
}

/** The token of a login is bound to this site and this nonce by the certificate's key. */
async function login(x) {
  const nonce = createHash('sha384').update(String(Date.now())).digest('base64');
  const token = await x.signed(({ certificate, nonce: n }) => window.p.call('auth.respond', { certificate, nonce: n }).catch(failed), { nonce });
  assert.match(token.format, /^web-eid:1/);
  assert.equal(token.algorithm, 'RS256');
  const sha256 = (s) => createHash('sha256').update(s).digest();
  const key = new X509Certificate(Buffer.from(token.unverifiedCertificate, 'base64')).publicKey;
  const holds = (origin, n) => verify('sha256', Buffer.concat([sha256(origin), sha256(n)]), key, Buffer.from(token.signature, 'base64'));
  assert.equal(holds(x.site.origin, nonce), true);
  assert.equal(holds('https://other.example.test', nonce), false);
  assert.equal(holds(x.site.origin, `${nonce.slice(1)}x`), false);
}

async function sendLarge(x, t) {
  const aborted = await x.page.evaluate(async ({ certificate, mib }) => {
    window.file = new File(Array(mib).fill(new TextEncoder().encode('Persten\n'.repeat(1 << 17))), 'архив.bin');
    const stop = new AbortController();
    return window.p.signCms(window.file, { certificate, signal: stop.signal, onTransfer: () => stop.abort() }).catch(failed);
  }, { certificate: x.certificate, mib: LARGE });
  assert.equal(aborted.error, 'AbortError');
  const from = Date.now();
  const made = await x.signed(async ({ certificate }) => {
    const seen = [];
    const s = await window.p.signCms(window.file, { certificate, onTransfer: (t) => seen.push(t) }).catch(failed);
    if (s.error) return s;
    const sent = seen.filter((t) => t.stage === 'sending').map((t) => t.sent);
    return { signature: base64(s.signature), size: s.size, steps: sent.length, last: sent.at(-1), total: seen[0].total, rising: sent.every((n, i) => i === 0 || n > sent[i - 1]) };
  }, {}, 120_000);
  assert.equal(made.size, large.length);
  assert.ok(made.steps > 20 && made.rising && made.last === large.length && made.total === large.length, JSON.stringify({ ...made, signature: '' }));
  await x.agent.opensslVerify(der(made), large);
  t.diagnostic(`${x.driver.name} over ${x.transport}: ${LARGE} MiB in ${((Date.now() - from) / 1000).toFixed(1)} s, with the person and OpenSSL`);
}

async function killedAsking(x) {
  const seen = await x.records();
  const made = await x.asked(signCms, plain('kill.txt'), () => x.agent.crash());
  await x.agent.start(); // before anything can fail: else the browser's host would start one that nobody ends
  assert.equal(made.error, 'agent_lost');
  assert.match(made.advice, /\S/);
  await desktop.gone();
  const list = await x.page.evaluate(async () => (await window.p.certificates().catch((e) => [failed(e)])).map((c) => c.id ?? c));
  assert.deepEqual(list, [x.certificate], 'the next call connects again');
  assert.equal(await x.page.evaluate(() => window.p.transport), x.transport);
  assert.equal((await desktop.windows()).length, 0, 'nobody is asked again by itself');
  assert.deepEqual(await x.intents(seen), []);
}

async function killedSigning(x) {
  const COUNT = 1000;
  const seen = await x.records();
  await x.page.evaluate(({ certificate, count }) => {
    const list = Array.from({ length: count }, (_, i) => ({ data: new TextEncoder().encode(`Приказ ${i}`), name: `batch-${i}` }));
    window.done = 0;
    window.first = new Promise((resolve) => {
      window.batch = window.p.signBatch(list, { certificate, onItem: () => resolve(++window.done) }).catch(failed);
    });
  }, { certificate: x.certificate, count: COUNT });
  await desktop.prompt();
  await desktop.enter(PIN);
  await x.page.evaluate(() => window.first);
  await x.agent.crash();
  const ended = await x.page.evaluate(() => window.batch);
  await x.agent.start();
  assert.equal(ended.error, 'agent_lost', JSON.stringify(ended).slice(0, 300));
  await desktop.dismiss();
  const used = await x.intents(seen);
  const told = await x.page.evaluate(() => window.done);
  assert.ok(used.length >= told && used.length < COUNT, `${told} told, ${used.length} begun of ${COUNT}`);
  assert.equal(new Set(used).size, used.length, 'no document twice');
  const made = await x.signed(signCms, plain('after.txt'));
  await x.agent.opensslVerify(der(made), text);
  assert.deepEqual(await x.intents(seen), [...used, 'after.txt'], 'and nothing was sent again');
}
