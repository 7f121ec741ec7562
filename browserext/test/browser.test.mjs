// SPDX-License-Identifier: GPL-3.0-or-later
// The whole way: Chromium with the extension, a session, a SoftHSM key, and a person who reads the window and types the PIN.
// OpenSSL and xmlsec1 judge what comes back.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { handshake, persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { EXTENSION, registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

let shop, desktop, portal, stranger, agent, browser;

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  const pages = { 'empty.html': '<!doctype html><title>empty</title>', 'sandbox.html': '<!doctype html><iframe sandbox="allow-scripts" src="empty.html"></iframe>' };
  portal = await serve('demo', pages);
  stranger = await serve('sdk', { 'page.html': '<!doctype html><title>p</title><script src="umd/persten.js"></script>' });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env, args: ['--host-resolver-rules=MAP rebind.example 127.0.0.1'] });
});

after(async () => {
  await browser?.close();
  await agent?.end();
  for (const s of [portal, stranger]) await s?.end();
  await desktop?.end();
  await shop?.end();
});

/** Opens a page of the portal, which has its certificates before anything is pressed there. */
async function openPortal(query = '', name = 'index') {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/${name}.html?lang=ru&port=${agent.port}${query}`);
  await page.waitForSelector(name === 'verify' ? '#status.good' : '.card input:enabled');
  return page;
}

const [CREATED, NOT_CREATED] = ['Persten: Подпись создана', 'Persten: Подпись не создана'];

const text = 'Прошу предоставить мне отпуск с 1 по 14 июня.';

/** Signs the text in the portal: the person types pins one after another. Resolves to the downloaded file. */
async function signInPortal(page, { attached = false, pins = [PIN], shot } = {}) {
  await page.fill('#text', text);
  if (attached) await page.check('#attached');
  await page.click('#sign');
  await desktop.prompt();
  await desktop.shot(`${shot}-asking`);
  for (const [i, pin] of pins.entries()) {
    if (i === pins.length - 1) {
      await desktop.insist(pin);
    } else {
      await desktop.enter(pin);
      await pause(2_000);
      assert.equal(await page.isVisible('#result'), false);
      await desktop.shot(`${shot}-wrong-pin`);
    }
  }
  await page.waitForSelector('#result:not([hidden])');
  assert.equal(await desktop.outcome(), CREATED, 'the window tells the person what the page was told');
  await desktop.shot(`${shot}-created`);
  await desktop.dismiss();
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  return readFile(await download.path());
}

check('native messaging: a detached signature that OpenSSL accepts', async () => {
  const page = await openPortal();
  assert.match(await page.textContent('#statusText'), /через расширение/);
  const signature = await signInPortal(page, { shot: 'native' });
  await agent.opensslVerify(signature, text);
  await assert.rejects(agent.opensslVerify(signature, `${text}!`), 'another text is refused');
  await page.click('#check');
  await page.waitForSelector('#checked p.valid');
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/portal.png`, fullPage: true });
  await page.close();
});

/** Drops files on the panel of the portal that checks signatures; resolves to what it says. */
async function dropOnPortal(page, ...files) {
  await page.evaluate(() => document.querySelector('#verified').replaceChildren());
  const dropped = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, base64 } of list) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    return data;
  }, files.map(([name, bytes]) => ({ name, base64: Buffer.from(bytes).toString('base64') })));
  await page.dispatchEvent('#dropSignature', 'drop', { dataTransfer: dropped });
  await page.waitForSelector('#verified .finding');
  return page.innerText('#verified');
}

check('a signature and its document dropped on the portal: the report, its chain, its PDF; a changed document is told', async () => {
  const signing = await openPortal();
  const signature = await signInPortal(signing, { shot: 'report' });
  await signing.close();
  const page = await openPortal('', 'verify');
  const good = await dropOnPortal(page, ['договор.txt', text], ['договор.txt.p7s', signature]);
  assert.match(good, /Подпись верна: документ не изменён\./);
  assert.match(good, /TOTAL_PASSED/);
  assert.match(good, /по часам подписавшего, ничем не подтверждено/);
  assert.match(good, /Persten test CA\s+доверенный корень/);
  assert.match(good, /не отозван по сведениям от .*ca\.crl/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#verified .report')]);
  assert.equal((await readFile(await download.path())).subarray(0, 5).toString(), '%PDF-');
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/portal-report.png`, fullPage: true });
  const bad = await dropOnPortal(page, ['договор.txt.p7s', signature], ['договор.txt', `${text}!`]);
  assert.match(bad, /TOTAL_FAILED \/ HASH_FAILURE/);
  assert.match(bad, /Что делать: Выберите именно тот файл/);
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/portal-report-changed.png`, fullPage: true });
  await page.close();
});

check('WebSocket: an attached signature that OpenSSL accepts', async () => {
  const page = await openPortal('&transport=websocket');
  assert.match(await page.textContent('#statusText'), /напрямую/);
  const signature = await signInPortal(page, { attached: true, shot: 'websocket' });
  assert.equal(String(await agent.opensslVerify(signature)), text);
  await page.close();
});

/** Signs the portal's XML document; choose sets what is to be signed. Resolves to the signed document. */
async function signXMLInPortal(page, choose, shot) {
  await choose(page);
  await page.click('#sign');
  await desktop.prompt();
  await desktop.shot(`${shot}-asking`);
  for (const key of ['shift+Tab', 'Return']) { // "View", by keyboard
    await desktop.key(key);
    await pause(1_000);
  }
  await desktop.shot(`${shot}-tree`);
  for (const _ of ['As a tree', 'As text', 'the PIN']) {
    await desktop.key('Tab');
    await pause(500);
  }
  await desktop.insist(PIN);
  await page.waitForSelector('#result:not([hidden])');
  assert.equal(await desktop.outcome(), CREATED);
  await desktop.shot(`${shot}-created`);
  await desktop.dismiss();
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  return readFile(await download.path(), 'utf8');
}

/** Has the portal verify what is in its field, after change; resolves to what it says. */
async function verifyInPortal(page, change = (xml) => xml) {
  await page.fill('#xmlSigned', change(await page.inputValue('#xmlSigned')));
  await page.click('#check');
  await page.waitForSelector('#checked .finding');
  return { valid: await page.isVisible('#checked p.valid'), text: await page.innerText('#checked') };
}

check('XML over native messaging: a XAdES signature of the whole document, which xmlsec1 accepts', async () => {
  const page = await openPortal('', 'xml');
  const given = await page.inputValue('#xmlText');
  const signed = await signXMLInPortal(page, () => page.check('#xmlWhole'), 'xml-native');
  assert.equal(signed.replace(/<(\w+:)?Signature .*<\/(\w+:)?Signature>/s, ''), given, 'nothing but the signature was added');
  assert.match(signed, /QualifyingProperties/);
  await agent.xmlsecVerify(signed);
  const judge = await openPortal('', 'verify');
  await judge.setInputFiles('#signatureFile', { name: 'заказ.xml', mimeType: 'application/xml', buffer: Buffer.from(signed) });
  await judge.click('#verify');
  await judge.waitForSelector('#verified p.valid');
  await judge.close();
  await assert.rejects(agent.xmlsecVerify(signed.replace('37200.00', '97200.00')), 'another sum is refused');
  const right = await verifyInPortal(page);
  assert.ok(right.valid && right.text.includes('Подписан весь документ. Не изменён.'), right.text);
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/portal-xml.png`, fullPage: true });
  const wrong = await verifyInPortal(page, (xml) => xml.replace('37200.00', '97200.00'));
  assert.ok(!wrong.valid && wrong.text.includes('Изменён после подписания.'), wrong.text);
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/portal-xml-tampered.png`, fullPage: true });
  await page.close();
});

check('XML over WebSocket: one element by its Id, which xmlsec1 accepts; the rest may change', async () => {
  const page = await openPortal('&transport=websocket', 'xml');
  const choose = async () => {
    await page.check('#xmlById');
    await page.selectOption('#xmlProfile', 'dsig');
  };
  const signed = await signXMLInPortal(page, choose, 'xml-websocket');
  assert.match(signed, /URI="#order-4417"/);
  assert.doesNotMatch(signed, /QualifyingProperties/);
  await agent.xmlsecVerify(signed, ['Заказ']);
  await agent.xmlsecVerify(signed.replace('склад № 2', 'склад № 3'), ['Заказ']);
  await assert.rejects(agent.xmlsecVerify(signed.replace('ООО «Ромашка»', 'ООО «Ромашки»'), ['Заказ']));
  const rest = await verifyInPortal(page, (xml) => xml.replace('склад № 2', 'склад № 3'));
  assert.ok(rest.valid && rest.text.includes('Подписан элемент Заказ (Id=order-4417). Не изменён.'), rest.text);
  assert.ok(rest.text.includes('то, что подписано, не изменено'), 'not the document: a part of it changed');
  const wrong = await verifyInPortal(page, (xml) => xml.replace('ООО «Ромашка»', 'ООО «Ромашки»'));
  assert.ok(!wrong.valid && wrong.text.includes('Изменён после подписания.'), wrong.text);
  const twice = await verifyInPortal(page, (xml) => xml.replace('ООО «Ромашки»', 'ООО «Ромашка»').replace('<Маршрут>', '<Маршрут Id="order-4417">'));
  assert.ok(!twice.valid, `a second element with the signed Id: ${twice.text}`);
  await page.close();
});

check('XML that cannot be signed as asked is refused before anybody is asked', async () => {
  const page = await openPortal('', 'xml');
  for (const [xml, id, code] of [['<a', '', 'format_xml'], ['<!DOCTYPE a><a/>', '', 'xml_doctype'], ['<a/>', 'b', 'xml_reference_absent'], ['<a><b Id="b"/><c Id="b"/></a>', 'b', 'xml_reference_ambiguous']]) {
    await page.fill('#xmlText', xml);
    await page.check(id ? '#xmlById' : '#xmlWhole');
    if (id) await page.fill('#xmlId', id);
    await page.click('#sign');
    await page.waitForSelector(`#error[data-code="${code}"]:not([hidden])`);
    assert.match(await page.textContent('#errorWhat'), /[а-я]/);
  }
  assert.equal((await desktop.windows()).length, 0);
  await page.close();
});

check('a wrong PIN keeps the window; the right one signs', async () => {
  const page = await openPortal();
  const signature = await signInPortal(page, { pins: ['11111111', PIN], shot: 'retry' });
  await agent.opensslVerify(signature, text);
  await page.close();
});

check('the person says no: user_rejected, and nothing was signed', async () => {
  const page = await openPortal();
  await page.click('#sign');
  await desktop.prompt();
  await desktop.reject();
  await page.waitForSelector('#error[data-code="user_rejected"]');
  assert.equal(await page.isVisible('#result'), false);
  assert.match(await page.textContent('#errorWhat'), /подпись не создана/);
  assert.match(await page.textContent('#errorNext'), /начните подписание заново/);
  assert.equal(await desktop.outcome(), NOT_CREATED);
  await desktop.dismiss();
  await page.close();
});

check('the tab closes: the window closes', async () => {
  const page = await openPortal();
  await page.click('#sign');
  await desktop.prompt();
  await page.close();
  await desktop.gone();
});

check('the popup finds the agent and its version', async () => {
  const { stdout } = await agent.command('version');
  const popup = await browser.newPage();
  await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
  const { state } = JSON.parse((await agent.command('status', '--json')).stdout); // a driver of this machine may have a problem of its own
  await popup.waitForSelector(state === 'problem' ? '.state.bad' : '.state.good');
  assert.match(await popup.textContent('#agent'), state === 'problem' ? /Persten/ : /^Persten (работает|is running)$/, "in the browser's own language");
  await popup.waitForSelector('#version:not([hidden])');
  const [, version] = /: (\S+)\n/.exec(await popup.textContent('#version'));
  assert.ok(stdout.includes(version), `${stdout.trim()} has ${version}`);
  assert.equal((await desktop.windows()).length, 0, 'nobody is asked about the extension itself');
  if (process.env.SHOTS) await popup.screenshot({ path: `${process.env.SHOTS}/popup.png` });
  await popup.close();
});

check('1 MiB of file goes in pieces and is signed as it is', async () => {
  const page = await openPortal();
  const bytes = Buffer.alloc(1 << 20, 'Persten\n');
  await page.setInputFiles('#file', { name: 'большой.txt', mimeType: 'text/plain', buffer: bytes });
  await page.click('#sign');
  await desktop.prompt();
  await desktop.insist(PIN);
  await page.waitForSelector('#result:not([hidden])');
  assert.equal(await desktop.outcome(), CREATED);
  await desktop.dismiss();
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  await agent.opensslVerify(await readFile(await download.path()), bytes);
  await page.close();
});

check('an origin nobody allowed is refused, over both ways, and the person is asked once', async () => {
  const page = await browser.newPage();
  await page.goto(`${stranger.origin}/page.html`);
  const codes = await page.evaluate(async (port) => {
    const refused = (transport) => Persten.connect({ transport, port, retryOrigin: false }).then(() => 'connected', (e) => e.code);
    return [await refused('extension'), await refused('websocket')];
  }, agent.port);
  assert.deepEqual(codes, ['origin_not_allowed', 'origin_not_allowed']);
  await desktop.prompt();
  await desktop.shot('origin-asking');
  assert.equal((await desktop.windows()).length, 1);
  await desktop.dismiss();
  await page.close();
});

/** Opens a WebSocket by hand in a frame; resolves to whether it opened. */
const opens = (frame, url) => frame.evaluate((u) => new Promise((resolve) => {
  const s = new WebSocket(u, 'persten.v1');
  s.onopen = () => (s.close(), resolve(true));
  s.onclose = () => resolve(false);
}), url);

check('null origins are refused: a sandboxed frame and a data: page', async () => {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/empty.html`);
  assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), true, 'the approved page itself connects');
  await page.goto(`${portal.origin}/sandbox.html`);
  const frame = await until(() => page.frames().find((f) => f.url().endsWith('empty.html')), 'the frame');
  assert.equal(await frame.evaluate(() => self.origin), 'null');
  assert.equal(await opens(frame, `ws://127.0.0.1:${agent.port}`), false);
  await page.goto('data:text/html,<title>d</title>');
  assert.equal(await opens(page, `ws://127.0.0.1:${agent.port}`), false);
  await page.close();
});

check('a wrong Host is refused: DNS rebinding in the browser, and by hand', async () => {
  const page = await browser.newPage();
  await page.goto(`http://rebind.example:${portal.port}/empty.html`);
  assert.equal(await opens(page, `ws://rebind.example:${agent.port}`), false);
  await page.close();
  const host = `127.0.0.1:${agent.port}`;
  assert.match(await handshake(agent.port, { Host: host, Origin: portal.origin }), /101/, 'the right one is accepted');
  for (const headers of [
    { Host: `rebind.example:${agent.port}`, Origin: portal.origin }, { Host: `localhost:${agent.port}`, Origin: portal.origin },
    { Host: '127.0.0.1', Origin: portal.origin }, { Host: host, Origin: 'null' }, { Host: host, Origin: undefined },
    { Host: host, Origin: stranger.origin }, { Host: host, Origin: `${portal.origin}/` }, { Host: host, Origin: `${portal.origin}.evil.example` },
  ]) assert.doesNotMatch(await handshake(agent.port, headers), / 101 /, JSON.stringify(headers));
});
