// SPDX-License-Identifier: GPL-3.0-or-later
// Portals written for NCALayer and for NexU: npm ncalayer-js-client as it is published, in a page of Chromium without the
// extension, over wss to a session that trusts its own loopback authority; and a page that asks as DSS portals do. A SoftHSM
// key, the demonstration token's keys, and a person who chooses, types and declines. OpenSSL and xmlsec1 judge what comes back.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, verify, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { serve, startChromium, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { root } from './load.mjs';

const run = promisify(execFile);
const PORTS = { NCALayer: 13579, NexU: 9795 };
const DEMO_PIN = '12345678';
const text = 'Прошу предоставить мне отпуск с 1 по 14 июня.';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

let shop, desktop, portal, stranger, agent, browser, page;

/** Whether somebody answers on a port of this computer. */
const taken = (port) => new Promise((resolve) => {
  const s = net.connect(port, '127.0.0.1', () => (s.destroy(), resolve(true)));
  s.once('error', () => resolve(false));
});

before(async () => {
  if (skip) return;
  for (const [name, port] of Object.entries(PORTS)) assert.ok(!(await taken(port)), `port ${port} is in use: end ${name}, or what else listens there`);
  shop = await workshop();
  desktop = await startDesktop();
  const pages = {
    'ncalayer-client.js': await readFile(path.join(root, 'node_modules/ncalayer-js-client/ncalayer-client.js'), 'utf8'),
    'portal.html': '<!doctype html><meta charset="utf-8"><title>Портал</title><script src="ncalayer-client.js"></script>',
  };
  portal = await serve('demo', pages);
  stranger = await serve('demo', pages);
  agent = await startAgent(shop.dir, desktop.env, [portal.origin], {
    options: ['--demo-token', path.join(shop.dir, 'demo')], config: '[compat]\nncalayer = true\nnexu = true\n',
  });
  browser = await startChromium(shop.dir, { env: agent.env, extension: false });
  page = await open(portal);
});

after(async () => {
  await browser?.close();
  await agent?.end();
  await portal?.end();
  await stranger?.end();
  await desktop?.end();
  await shop?.end();
});

async function open({ origin }) {
  const p = await browser.newPage();
  await p.goto(`${origin}/portal.html`);
  return p;
}

/** The keys used here: the place of each in the list of all five certificates, and the PIN. */
const keys = { rsa: { place: 1, pin: PIN }, gost: { place: 2, pin: DEMO_PIN } };

/** Waits for a window whose title holds words. */
async function titled(words) {
  await until(async () => {
    for (const id of await desktop.windows()) if ((await desktop.xdotool('getwindowname', id).catch(() => '')).includes(words)) return true;
    return false;
  }, `a window "${words}"`);
  await desktop.prompt();
}

/** Clicks into the window with the question. */
async function click(id, x, y) {
  await desktop.xdotool('mousemove', '--window', id, String(x), String(y), 'click', '1');
  await pause(500);
}

/** The window with the list of certificates, if it is there. */
async function list() {
  for (const id of await desktop.windows()) if ((await desktop.xdotool('getwindowname', id).catch(() => '')).includes('Выберите сертификат')) return id;
  return undefined;
}

/** Chooses a certificate: the first or the second of the list, and the button below. A busy computer may miss a click. */
async function choose({ place }) {
  await titled('Выберите сертификат');
  for (let tries = 0, id; (id = await list()) !== undefined; tries++) {
    assert.ok(tries < 5, 'the list takes no clicks');
    await press(id, place).catch(() => undefined); // the window may go at any moment
    await until(async () => (await list()) === undefined, 'the list to close', 4_000).catch(() => undefined);
  }
}

async function press(id, place) {
  const [, width, height] = /Geometry: (\d+)x(\d+)/.exec(await desktop.xdotool('getwindowgeometry', id)).map(Number);
  await click(id, 290, place === 1 ? 254 : 426);
  await click(id, width - 76, height - 39);
}

/** Types the PIN of a key and waits for the end. */
async function sign({ pin }, shot) {
  await titled('Подпис');
  await desktop.shot(`ncalayer-${shot}`);
  await desktop.enter(pin);
}

/** Runs f in the page while act is what the person does. Resolves to what f gave. */
async function asked(f, arg, act, p = page) {
  const made = p.evaluate(f, arg);
  made.catch(() => undefined);
  await Promise.race([act(), made.then((m) => pause(2_000).then(() => Promise.reject(new Error(`nobody was asked: ${JSON.stringify(m)}`))))]);
  const result = await made;
  await desktop.dismiss();
  return result;
}

/** Calls the client in the page; a failure comes back as its message. */
const call = ([method, ...args]) => window.client[method](...args).catch((e) => ({ failed: e.message, canceled: e.canceledByUser === true }));
/** The same by a person who chooses a key and signs. */
const signed = (key, shot, ...args) => asked(call, args, async () => { await choose(keys[key]); await sign(keys[key], shot); });

const fromPEM = (pem) => {
  assert.match(pem, /^-----BEGIN CMS-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END CMS-----\n$/);
  return Buffer.from(pem.replace(/-----.*-----|\n/g, ''), 'base64');
};
const base64 = (s) => Buffer.from(s).toString('base64');
const detached = { decode: true, encapsulate: false, digested: false };
const attached = { ...detached, encapsulate: true };
const anybody = { extKeyUsageOids: [] };

/** How many signatures were asked for, by the journal: one line begins each approval. */
async function approvals() {
  const records = JSON.parse((await agent.command('journal', 'list', '--json')).stdout);
  return new Set(records.filter((r) => r.type === 'begin').map((r) => r.approval)).size;
}

/** An XML document with its signature: RSA by xmlsec1, GOST by our own verifier, which xmlsec1 with GOST is compared with elsewhere. */
async function goodXML(key, document) {
  if (key === 'rsa') return agent.xmlsecVerify(document);
  const file = path.join(shop.dir, 'made.xml');
  await writeFile(file, document);
  const report = JSON.parse((await agent.command('verify', '--json', '--offline', '--roots', path.join(shop.dir, 'demo/ca.pem'), '--crl', path.join(shop.dir, 'demo/ca.crl'), file)).stdout);
  assert.equal(report.valid, true);
}

check('the client connects by wss, which Chromium trusts, and lists tokens', async () => {
  const found = await page.evaluate(async () => {
    window.client = new NCALayerClient();
    const version = await window.client.connect();
    return { version, kmd: window.client.isKmd, tokens: await window.client.getActiveTokens(), locale: await window.client.changeLocale('ru') };
  });
  assert.deepEqual(found, { version: '1.4', kmd: false, tokens: ['AKKaztokenStore'], locale: undefined });
});

check('the person chooses a key, and the page gets to know it', async () => {
  const info = await asked(call, ['getKeyInfo', 'PKCS12'], async () => {
    await titled('Выберите сертификат');
    await desktop.shot('ncalayer-choose');
    await choose(keys.rsa);
  });
  assert.equal(info.subjectDn, 'CN=Демонстрационный Подписант,O=Демонстрационная организация');
  assert.equal(info.issuerCn, 'Persten test CA');
  assert.equal(new X509Certificate(info.pem).raw.toString('hex'), (await readFile(path.join(shop.dir, 'leaf.der'))).toString('hex'));
  assert.ok(Number(info.certNotAfter) > Date.now());
});

for (const key of ['rsa', 'gost']) {
  check(`${key}: CMS of basics, detached, attached and of three documents at once, which OpenSSL accepts`, async () => {
    const before = await approvals();
    const apart = fromPEM(await signed(key, `${key}-detached`, 'basicsSignCMS', null, base64(text), detached, anybody));
    await agent.opensslGost(apart, text);
    await assert.rejects(agent.opensslGost(apart, `${text}!`));
    const whole = fromPEM(await signed(key, `${key}-attached`, 'basicsSignCMS', null, base64(text), attached, anybody));
    assert.equal(String(await agent.opensslGost(whole)), text);
    const texts = [1, 2, 3].map((n) => `${text} (${n})`);
    const list = await signed(key, `${key}-batch`, 'basicsSignCMS', null, texts.map(base64), detached, anybody);
    assert.equal(list.length, 3);
    for (const [i, one] of list.entries()) await agent.opensslGost(fromPEM(one), texts[i]);
    assert.equal(await approvals() - before, 3, 'one approval for each call');
  });

  check(`${key}: CAdES of commonUtils`, async () => {
    const apart = await signed(key, `${key}-cades`, 'createCAdESFromBase64', 'PKCS12', base64(text), 'SIGNATURE', false);
    await agent.opensslGost(Buffer.from(apart, 'base64'), text);
    const whole = await signed(key, `${key}-cades-attached`, 'createCAdESFromBase64', 'AKKaztokenStore', base64(text), 'SIGNATURE', true);
    assert.equal(String(await agent.opensslGost(Buffer.from(whole, 'base64'))), text);
  });

  check(`${key}: XML of both modules, one and several`, async () => {
    const xml = `<заявление>${text}</заявление>`;
    const one = await signed(key, `${key}-xml`, 'signXml', 'PKCS12', xml);
    assert.ok(one.startsWith(xml.slice(0, -'</заявление>'.length)), 'nothing but the signature was added');
    await goodXML(key, one);
    await assert.rejects(goodXML(key, one.replace('14 июня', '24 июня')));
    const [compact] = await signed(key, `${key}-xml-basics`, 'basicsSignXML', null, xml, {}, anybody);
    assert.doesNotMatch(compact, /[\r\n]/, 'no line breaks: portals parse it again');
    await goodXML(key, compact);
    const before = await approvals();
    const two = await signed(key, `${key}-xmls`, 'signXmls', 'PKCS12', [xml, '<b>2</b>']);
    assert.equal(two.length, 2);
    for (const document of two) await goodXML(key, document);
    assert.equal(await approvals() - before, 1, 'one approval for both');
  });
}

check('a ready digest needs the right for it, which the person gives once', async () => {
  const sum = createHash('sha256').update(text).digest('base64');
  const made = await asked(call, ['createCAdESFromBase64Hash', 'PKCS12', sum], async () => {
    await choose(keys.rsa); // those whose digests have another length are not offered
    await titled('Разрешить сайту');
    await desktop.shot('ncalayer-hidden');
    await desktop.agree(async () => !(await desktop.titles()).some((t) => t.includes('Разрешить сайту')));
    await sign(keys.rsa, 'hash');
  });
  await agent.opensslGost(Buffer.from(made, 'base64'), text);
});

check('who declines, at either window, has cancelled in the words of the protocol', async () => {
  const atList = await asked(call, ['basicsSignCMS', null, base64(text), detached, anybody], async () => {
    await titled('Выберите сертификат');
    await desktop.reject();
  });
  assert.deepEqual(atList, { failed: 'cancelled by user', canceled: true });
  const atSignature = await asked(call, ['basicsSignXML', null, '<a/>', {}, anybody], async () => {
    await choose(keys.rsa);
    await titled('Подпис');
    await desktop.reject();
  });
  assert.deepEqual(atSignature, { failed: 'cancelled by user', canceled: true });
  const common = await asked(call, ['createCAdESFromBase64', 'PKCS12', base64(text)], async () => {
    await titled('Выберите сертификат');
    await desktop.reject();
  });
  assert.equal(common.failed, '500: action.canceled');
});

check('what cannot be done is said: files, a broken document, a PIN from the page', async () => {
  const ask = (request) => page.evaluate((r) => new Promise((resolve) => {
    const s = new WebSocket('wss://127.0.0.1:13579/');
    s.onmessage = () => {
      s.onmessage = (m) => (resolve(JSON.parse(m.data)), s.close());
      s.send(typeof r === 'string' ? r : JSON.stringify(r));
    };
  }), request);
  const module = 'kz.gov.pki.knca.commonUtils';
  assert.deepEqual(await ask({ module, method: 'showFileChooser', args: ['ALL', ''] }), { code: '500', message: 'method not implemented' });
  assert.deepEqual(await ask({ module: 'kz.example.module', method: 'x' }), { success: false, errorCode: 'MODULE_NOT_FOUND' });
  assert.match((await ask({ module, method: 'signXml', args: [{ password: '1234' }] })).message, /PIN-код|парол/i);
  assert.equal((await ask('{')).code, '500');
  const heart = await page.evaluate(() => new Promise((resolve) => {
    const s = new WebSocket('wss://127.0.0.1:13579/');
    s.onmessage = () => { s.onmessage = (m) => (resolve(m.data), s.close()); s.send('--heartbeat--'); };
  }));
  assert.equal(heart, '--heartbeat--');
});

check('a site nobody allowed is refused, and the person is asked about it', async () => {
  const other = await open(stranger);
  const tried = await other.evaluate(() => new NCALayerClient().connect().catch((e) => e.name));
  assert.equal(tried, 'NCALayerError');
  const fetched = await other.evaluate(() => fetch('http://localhost:9795/nexu-info').then((r) => r.status, (e) => e.name));
  assert.equal(fetched, 'TypeError', 'without CORS headers the page reads nothing');
  await titled('Разрешить этому сайту');
  await desktop.shot('ncalayer-stranger');
  await desktop.dismiss();
  await other.close();
});

/** What DSS's pages do: a JSON POST, and whatever comes back. */
const post = ([service, body]) => fetch(`http://localhost:9795/rest/${service}`, {
  method: 'POST', headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(body),
}).then(async (r) => ({ status: r.status, ...await r.json() }));

check('NexU: information, a certificate, a signature value that its key made', async () => {
  assert.deepEqual(await page.evaluate(() => fetch('http://localhost:9795/nexu-info').then((r) => r.json())), { version: '1.22' });
  const { success, response } = await asked(post, ['certificates', {}], () => choose(keys.rsa));
  assert.equal(success, true);
  const certificate = new X509Certificate(Buffer.from(response.certificate, 'base64'));
  assert.equal(certificate.raw.toString('hex'), (await readFile(path.join(shop.dir, 'leaf.der'))).toString('hex'));
  assert.deepEqual([response.encryptionAlgorithm, response.preferredDigest], ['RSA', 'SHA256']);
  const { tokenId, keyId } = response;
  const request = { tokenId, keyId, toBeSigned: { bytes: base64(text) }, digestAlgorithm: 'SHA512' };
  const made = await asked(post, ['sign', request], () => sign(keys.rsa, 'nexu'));
  assert.equal(made.response.signatureAlgorithm, 'RSA_SHA512');
  assert.ok(verify('sha512', Buffer.from(text), certificate.publicKey, Buffer.from(made.response.signatureValue, 'base64')));
  const declined = await asked(post, ['sign', request], async () => { await titled('Подпис'); await desktop.reject(); });
  assert.deepEqual([declined.status, declined.success, declined.error], [500, false, 'user.cancel']);
  const forged = await page.evaluate(post, ['sign', { ...request, tokenId: { id: '0'.repeat(32) } }]);
  assert.equal(forged.error, 'exception');
});

/** Every file below a folder. */
async function files(dir) {
  const list = await readdir(dir, { withFileTypes: true, recursive: true });
  return list.filter((f) => f.isFile()).map((f) => path.join(f.parentPath ?? f.path, f.name));
}

check('the authority has no key: on disk there are those of the certificate and of the agent, for their owner alone', async () => {
  const found = [];
  for (const dir of ['state', 'home', 'config', 'run', 'cache']) {
    for (const file of await files(path.join(shop.dir, dir))) if ((await readFile(file)).includes('PRIVATE KEY')) found.push(file);
  }
  assert.deepEqual(found.map((f) => path.basename(f)).sort(), ['agent.key', 'loopback.pem']);
  const leaf = found.find((f) => f.endsWith('loopback.pem'));
  assert.equal((await stat(leaf)).mode & 0o777, 0o600);
  const pem = await readFile(leaf, 'utf8');
  const own = new X509Certificate(pem), authority = new X509Certificate(await readFile(path.join(path.dirname(leaf), 'authority.pem')));
  assert.ok(own.checkPrivateKey(createPrivateKey(pem)) && own.verify(authority.publicKey) && authority.ca && !own.ca);
  for (const file of found) assert.ok(!authority.checkPrivateKey(createPrivateKey(await readFile(file, 'utf8'))), file);
  assert.notEqual(own.publicKey.export({ type: 'spki', format: 'pem' }), authority.publicKey.export({ type: 'spki', format: 'pem' }));
});

check('status says what is on and who trusts it; what the configuration sets stays', async () => {
  const [nca, nexu] = JSON.parse((await agent.command('compat', 'status', '--json')).stdout);
  assert.deepEqual([nca.on, nca.fixed, nca.address, nexu.on], [true, true, '127.0.0.1:13579', true]);
  assert.deepEqual(nca.stores, [{ path: path.join(shop.dir, 'home/.pki/nssdb'), trusted: true }]);
  await assert.rejects(agent.command('compat', 'disable', 'ncalayer'), /policy_forbids/);
});

check('a port that somebody else has is left to them, and status says so', async () => {
  const second = await workshop();
  let beside;
  try {
    beside = await startAgent(second.dir, desktop.env, [], { config: '[compat]\nncalayer = true\n' });
    const taken = await until(async () => {
      const { problems } = JSON.parse((await beside.command('status', '--json')).stdout);
      return problems.find((p) => p.code === 'port_taken'); // a driver of this machine may have a problem, too
    }, 'status to tell');
    assert.deepEqual(taken.args, { port: '13579', name: 'NCALayer' });
  } finally {
    await beside?.end();
    await second.end();
  }
});

check('switched off, it leaves nothing in the browser', async () => {
  const third = await workshop();
  let other;
  try {
    other = await startAgent(third.dir, desktop.env, [], { config: '' });
    const store = path.join(third.dir, 'home/.pki/nssdb');
    const listed = async () => (await run('certutil', ['-L', '-d', `sql:${store}`])).stdout.includes('Persten');
    await other.command('compat', 'enable', 'ncalayer');
    assert.equal(await listed(), true);
    await other.command('compat', 'disable', 'ncalayer');
    assert.equal(await listed(), false);
    assert.deepEqual(await files(path.join(third.dir, 'state/persten/compat')), []);
  } finally {
    await other?.end();
    await third.end();
  }
});
