// SPDX-License-Identifier: GPL-3.0-or-later
// The playground: every page in both languages and themes as a screen reader's checker sees it, and what its pages do, with the
// extension, a session, a SoftHSM key, the demonstration token and a person who types the PIN. OpenSSL judges the signatures.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes, verify as verifyRaw, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { promisify } from 'node:util';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { permitted, registerHost, serve, startChromium, turnOn, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { root } from './load.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 180_000 }, f);

const run = promisify(execFile);
const text = 'Прошу предоставить мне отпуск с 1 по 14 июня.';
const MIB = 1024 * 1024;
/** What went wrong in a page without anybody seeing it. */
const broken = [];
let shop, desktop, portal, agent, browser, axe;

before(async () => {
  if (skip) return;
  axe = await readFile(path.join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');
  shop = await workshop();
  desktop = await startDesktop();
  portal = await serve('demo');
  agent = await startAgent(shop.dir, desktop.env, [portal.origin], { options: ['--demo-token', path.join(shop.dir, 'demo')] });
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env, extension: await permitted(shop.dir) });
  browser.on('weberror', (e) => broken.push(`${e.page()?.url()}: ${e.error()}`));
});

after(async () => {
  await browser?.close();
  await agent?.end();
  await portal?.end();
  await desktop?.end();
  await shop?.end();
});

/** What a test that failed left open must not answer the next one. */
afterEach(async () => {
  if (skip) return;
  await desktop.dismiss();
  for (const page of browser.pages().slice(1)) await page.close();
});

/** Opens a page and, where it has certificates, chooses the one on the token. */
async function open(name, query = '') {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/${name}.html?lang=ru&port=${agent.port}${query}`);
  await page.waitForSelector('#status.good');
  if (await page.$('#cards')) await page.click('.card:has-text("Демонстрационная организация")');
  return page;
}

/** A picture of the page, as far down as it goes unless it is very long, when SHOTS names a folder. */
const shot = async (page, name) => {
  if (!process.env.SHOTS) return;
  const fullPage = await page.evaluate(() => document.documentElement.scrollHeight < 4_000);
  await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage });
};

/**
 * Types the PIN when the window asks, until done resolves, which waits for what comes of it. On a busy machine a window may miss
 * what is typed before it has been drawn; then it is typed again.
 */
async function approve(done) {
  await desktop.prompt();
  for (let tries = 1; ; tries++) {
    await desktop.enter(PIN);
    const e = await done().then(() => undefined, (failed) => failed);
    if (!e) break;
    if (tries === 3) throw e;
  }
}

/** The same, until the page shows something. */
async function approved(page, shown) {
  await approve(() => page.waitForSelector(shown, { timeout: 10_000 }));
  await desktop.dismiss();
}

async function download(page, link) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(link)]);
  return readFile(await file.path());
}

/** Whether nothing of a page hangs over the side of its window. */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/** Runs f on a page in both themes and both languages. */
async function everyLook(page, name, f) {
  for (const lang of ['ru', 'en']) {
    await page.click(`[data-lang="${lang}"]`);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await f(`${name}, ${lang}, ${colorScheme}`);
      assert.ok(await fits(page), `${name} is wider than its window`);
      await shot(page, `${name}-${lang}-${colorScheme}`);
    }
  }
}

/** What axe has against a page. */
const violations = (page) => page.evaluate(async (source) => {
  if (!('axe' in window)) (0, eval)(source);
  const { violations: found } = await window.axe.run();
  return found.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html}`));
}, axe);

/** The pages of the menu. */
async function menu() {
  const html = await readFile(path.join(root, 'dist/demo/index.html'), 'utf8');
  return [...html.matchAll(/<li><a href="(\w+)\.html"/g)].map((m) => m[1]);
}

check('axe finds nothing on any page, in either language and theme; nothing is loaded from elsewhere', async () => {
  const names = await menu();
  assert.ok(names.length >= 13, names.join());
  const asked = [];
  for (const name of names) {
    const page = await browser.newPage();
    await page.route('**', (route) => (asked.push(route.request().url()), route.continue()));
    await page.goto(`${portal.origin}/${name}.html?lang=ru&port=${agent.port}`);
    await page.waitForSelector('#status.good');
    await everyLook(page, name, async (look) => assert.deepEqual(await violations(page), [], look));
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await fits(page), `${name} does not fit a small screen`);
    await shot(page, `${name}-small`);
    await page.close();
  }
  assert.ok(asked.length > names.length);
  for (const url of asked) assert.ok(url.startsWith(portal.origin) || url.startsWith('http://127.0.0.1:'), url);
});

check('axe finds nothing on the help page; it finds codes and words, and shows the entry of an address', async () => {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/help/index.html?lang=ru#pin_locked`);
  assert.ok(await page.isVisible('#pin_locked .what'));
  await everyLook(page, 'help', async (look) => assert.deepEqual(await violations(page), [], look));
  const visible = () => page.$$eval('article', (all) => {
    const top = (a) => a.getBoundingClientRect().top;
    return all.filter((a) => a.checkVisibility()).sort((a, b) => top(a) - top(b)).map((a) => a.id);
  });
  const first = async () => (await visible())[0];
  await page.click('[data-lang="ru"]');
  assert.ok((await visible()).length > 180);
  await page.fill('#query', '8007065b');
  assert.deepEqual(await visible(), ['0x8007065B', 'licence-ended']);
  assert.match(await page.innerText('#main, main'), /Закончилась лицензия/);
  assert.doesNotMatch(await page.innerText('main'), /licence of|licence has/);
  await shot(page, 'help-search');
  await page.fill('#query', 'У вас нет действуюших сертефикатов');
  assert.equal(await first(), 'no-valid-certificates');
  assert.match(await page.innerText('#no-valid-certificates'), /Где причина: на этом компьютере[^]*Что проверить[^]*Что делать/);
  await everyLook(page, 'help-found', async (look) => assert.deepEqual(await violations(page), [], look));
  await page.click('[data-lang="ru"]');
  await page.fill('#query', 'ошибка 52');
  assert.equal(await first(), 'error-52');
  await page.fill('#query', 'рецепт борща');
  assert.match(await page.textContent('#found'), /ничего нет.*persten doctor --bundle/);
  await page.evaluate(() => (location.hash = 'CKR_PIN_LOCKED'));
  await page.waitForFunction(() => document.querySelector('#query').value === '');
  assert.ok(await page.isVisible('#CKR_PIN_LOCKED'));
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.isVisible('#search'), false, 'a printed page has no field to type in');
  await page.close();
});

check('the command shows the same page from a file, at the code it was given', async () => {
  const env = { ...agent.env, DISPLAY: '', LC_ALL: 'ru_RU.UTF-8' };
  const { stdout } = await run(persten, ['help-page', 'PIN_LOCKED', '--json'], { env });
  const page = await browser.newPage();
  await page.goto(JSON.parse(stdout).page);
  await page.waitForURL(/help\/index\.html\?lang=ru#pin_locked$/);
  assert.match(await page.innerText('#pin_locked'), /заблокирован/);
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru');
  await page.close();
});

check('the keyboard alone: past the menu, a document signed', async () => {
  const page = await browser.newPage();
  await page.goto(`${portal.origin}/?lang=ru&port=${agent.port}`);
  await page.waitForSelector('.card input:enabled');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  const press = async (key, there) => {
    for (let i = 0; i < 20 && !(await page.evaluate(there)); i++) await page.keyboard.press(key);
  };
  await press('Tab', () => document.activeElement.type === 'radio');
  await press('ArrowDown', () => document.activeElement.closest('.card').textContent.includes('Демонстрационная организация'));
  await press('Tab', () => document.activeElement.id === 'sign');
  await page.keyboard.press('Enter');
  await approved(page, '#result:not([hidden])');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'result', 'the result is read out');
  await agent.opensslVerify(await download(page, '#download'), await page.inputValue('#text'));
  await page.close();
});

/** Calls a method through its form; resolves to the answer. */
async function callMethod(page, name, fill = {}) {
  await page.selectOption('#method', name);
  for (const [field, value] of Object.entries(fill)) await page.fill(`#p-${field}`, value);
  await page.click('#call');
}

async function answered(page) {
  await page.waitForSelector('#result:not([hidden])');
  assert.match(await page.textContent('#took'), /мс/);
  return JSON.parse(await page.textContent('#answer'));
}

check('every method can be called, with what the call before answered', async () => {
  const page = await open('methods');
  await page.waitForFunction(() => document.querySelector('#method').options.length > 10);
  const call = async (name, fill) => (await callMethod(page, name, fill), answered(page));
  assert.equal((await call('agent.hello')).protocol, 'persten.v1');
  assert.ok((await call('agent.status')).version);
  assert.equal((await call('tokens.list')).tokens.length, 2);
  assert.equal((await call('certificates.list')).certificates.length, 5);
  await page.selectOption('#method', 'certificates.check');
  await page.selectOption('#p-certificate', { label: 'Демонстрационный Подписант, RSA 2048' });
  await page.click('#call');
  assert.equal((await answered(page)).indication, 'TOTAL_PASSED');
  const { handle } = await call('content.open', { size: '20' });
  assert.equal(await page.evaluate(() => document.querySelector('#p-name').value), 'Договор.txt');
  assert.equal((await call('content.append')).size, 20);
  assert.equal((await call('content.close')).size, 20);
  assert.equal((await call('content.read')).data, '0JTQvtCz0L7QstC+0YAg4oSWIDc=');
  assert.match(await page.textContent('#snippet'), new RegExp(`persten\\.call\\('content\\.read', \\{\\s+"handle": "${handle}"`));
  await call('content.drop');
  await shot(page, 'methods-answer');
  await page.close();
});

check('sign.cms by hand, verify.cms of what came back; a refusal and a wrong parameter are told', async () => {
  const page = await open('methods');
  await page.waitForFunction(() => document.querySelector('#method').options.length > 10);
  await page.selectOption('#method', 'sign.cms');
  await page.selectOption('#p-certificate', { label: 'Демонстрационный Подписант, RSA 2048' });
  await page.click('#call');
  await approved(page, '#result:not([hidden])');
  const { signature } = await answered(page);
  assert.equal(String(await agent.opensslVerify(Buffer.from(signature.inline, 'base64'))), 'Договор № 7');
  await page.selectOption('#method', 'verify.cms');
  await page.fill('#p-content', '');
  await page.click('#call');
  assert.equal((await answered(page)).signers[0].indication, 'TOTAL_PASSED');
  await shot(page, 'methods-verify');
  await callMethod(page, 'sign.cms');
  await desktop.prompt();
  await desktop.reject();
  await page.waitForSelector('#error[data-code="user_rejected"]:not([hidden])');
  assert.match(await page.getAttribute('#errorMore', 'href'), /^help\/index\.html\?lang=ru#user_rejected$/);
  await desktop.dismiss();
  await callMethod(page, 'verify.cms', { signature: '{' });
  await page.waitForSelector('#error[data-code="field"]:not([hidden])');
  await callMethod(page, 'content.read', { length: '0' });
  await page.waitForSelector('#error[data-code="request_invalid"]:not([hidden])');
  await page.close();
});

check('a batch: every row has its signature; a batch that is stopped says what was signed', async () => {
  const page = await open('batch');
  await page.fill('#amount', '5');
  await page.click('#make');
  await page.click('#sign');
  await approved(page, '#account:not([hidden])');
  assert.equal(await page.textContent('#account'), 'Подписано: 5, с ошибкой: 0, не подписано: 0.');
  assert.equal(await page.locator('#rows td.valid a').count(), 5);
  await agent.opensslVerify(await download(page, '#rows tr:nth-child(3) a'), 'Учебный документ № 3\n');
  await shot(page, 'batch-done');
  await page.fill('#amount', '1000');
  await page.click('#make');
  await page.click('#sign');
  await page.evaluate(() => { // at the first signature, before the others are made
    new MutationObserver((_, seen) => {
      if (!document.querySelector('#rows td.valid')) return;
      seen.disconnect();
      document.querySelector('#cancel').click();
    }).observe(document.querySelector('#rows'), { childList: true, subtree: true });
  });
  await approve(() => page.waitForSelector('#account:not([hidden])', { timeout: 10_000 }));
  const [signed, failed, rest] = (await page.textContent('#account')).match(/\d+/g).map(Number);
  assert.ok(signed > 0 && rest > 0 && failed === 0 && signed + rest === 1000, await page.textContent('#account'));
  assert.equal(await page.locator('#rows td.valid a').count(), signed, 'each signature that was made is there');
  await desktop.dismiss();
  await page.close();
});

check('a large file: a bar and a rate, a signature of all of it; it can be stopped on its way', async () => {
  const page = await open('large', '&transport=websocket');
  const file = path.join(shop.dir, 'большой.bin');
  const bytes = randomBytes(64 * MIB);
  await writeFile(file, bytes);
  await page.setInputFiles('#file', file);
  await page.click('#sign');
  await approved(page, '#result:not([hidden])');
  assert.match(await page.innerText('#facts'), /64 МБ[\s\S]*МБ\/с/);
  await agent.opensslGost(await download(page, '#download'), bytes);
  await shot(page, 'large-done');
  await page.fill('#amount', '2048');
  await page.click('#make');
  assert.match(await page.textContent('#chosen'), /2 ГБ/);
  await page.click('#sign');
  await page.waitForFunction(() => document.querySelector('#bar').value > 0.02);
  assert.match(await page.textContent('#progressText'), /Передано .* из 2 ГБ, .*МБ\/с/);
  await shot(page, 'large-sending');
  await page.click('#cancel');
  await page.waitForSelector('#error[data-code="aborted"]:not([hidden])');
  assert.equal((await desktop.windows()).length, 0, 'nobody was asked');
  await page.close();
});

check('certificates: fields one by one, and whether it is good now', async () => {
  const page = await open('certificates');
  assert.match(await page.innerText('#rows'), /organization\s+Демонстрационная организация/);
  await page.click('#check');
  await page.waitForSelector('#checked p.valid');
  assert.match(await page.innerText('#checked'), /Persten test CA/);
  await page.fill('#formName', 'ДЕМОНСТРАЦИОННЫЙ  подписант');
  assert.equal(await page.textContent('#compared'), 'Сертификат подходит: всё совпало.');
  await shot(page, 'certificates-checked');
  await page.fill('#formInn', '7709123456');
  assert.equal(await page.textContent('#compared'), 'Сертификат не подходит: что-то не совпало.');
  await page.close();
});

/** Presses a button of a face's page; resolves to what it answered. */
async function step(page, id, person = (answered) => answered()) {
  const before = await page.textContent('#log');
  await page.click(`#${id}`);
  await person(() => page.waitForFunction((b) => document.querySelector('#log').textContent !== b, before, { timeout: 10_000 }));
  return (await page.textContent('#log')).split('\n\n')[0].split('\n').slice(1).join('\n');
}

check('a face that is not turned on does not answer, and the page says so', async () => {
  for (const name of ['cades', 'rutoken', 'webeid', 'hwcrypto', 'ncalayer', 'nexu']) {
    const page = await open(name);
    for (const call of ['faceFind', 'faceSign']) assert.match(await step(page, call), /^Не отвечает: не включено/, `${name}, ${call}`);
    assert.match(await page.textContent('#how'), /Persten/);
    await page.close();
  }
});

/** The person chooses the first certificate of the list, then types the PIN in the window that follows. */
async function chooseAndApprove(done) {
  await desktop.prompt();
  const titles = async () => Promise.all((await desktop.windows()).map((id) => desktop.xdotool('getwindowname', id).catch(() => '')));
  await until(async () => {
    await desktop.key('Return');
    await pause(1_000);
    return !(await titles()).some((title) => /Выберите/.test(title));
  }, 'the choice to close');
  await approve(done);
}

check('login: an answer bound to this site, judged once', async () => {
  const page = await open('login');
  await page.click('#login');
  await chooseAndApprove(() => page.waitForSelector('#result:not([hidden])', { timeout: 10_000 }));
  assert.match(await page.innerText('#result'), /Демонстрационный Подписант[\s\S]*Сервера у этой страницы нет/);
  assert.match(await page.inputValue('#token'), /"format": "web-eid:1/);
  await shot(page, 'login-done');
  await page.close();
});

check('the faces webeid and hwcrypto: found, a digest signed with the right for it, a login', async () => {
  await agent.command('origins', 'allow', '--hidden', portal.origin);
  const answers = {};
  for (const [name, calls] of [['webeid', ['faceSign', 'faceLogin']], ['hwcrypto', ['faceSign']]]) {
    await turnOn(browser, portal.origin, name);
    const page = await open(name);
    answers[name] = [await step(page, 'faceFind')];
    for (const id of calls) {
      answers[name].push(await step(page, id, chooseAndApprove));
      await desktop.dismiss();
    }
    await shot(page, `face-${name}`);
    await page.close();
  }
  const [status, signed, token] = answers.webeid.map((a) => JSON.parse(a));
  assert.match(status.nativeApp, /^\d+\.\d+/);
  const key = new X509Certificate(await readFile(path.join(shop.dir, 'leaf.der'))).publicKey;
  assert.ok(verifyRaw('sha256', text, key, Buffer.from(signed.signature, 'base64')));
  assert.ok(verifyRaw('sha256', text, key, Buffer.from(answers.hwcrypto[1], 'hex')));
  assert.match(token.format, /^web-eid:1/);
});

for (const name of ['cades', 'rutoken']) {
  check(`the face ${name}: found, listed, signed, verified`, async () => {
    await turnOn(browser, portal.origin, name);
    const page = await open(name);
    assert.match(await step(page, 'faceFind'), /^\d+\.\d+/);
    assert.match(await step(page, 'faceList'), /Демонстрационный Подписант/);
    const own = await page.$$eval('#own option', (all) => all.find((o) => o.textContent.includes('Демонстрационный Подписант')).value);
    await page.selectOption('#own', own);
    const signature = await step(page, 'faceSign', approve);
    await desktop.dismiss();
    await agent.opensslVerify(Buffer.from(signature, 'base64'), await page.inputValue('#text'));
    assert.match(await step(page, 'faceVerify'), name === 'cades' ? /ok$/ : /true$/);
    await shot(page, `face-${name}`);
    await page.close();
  });
}

const { firefox } = browsers;
test('Firefox ESR: every page connects, axe finds nothing, and a document is signed and verified', { skip: skip || firefox.missing, timeout: 180_000 }, async () => {
  await firefox.registerHost(shop.dir, `"${persten}"`);
  const other = await firefox.start(shop.dir, { env: agent.env });
  try {
    const page = await other.newPage();
    for (const name of [...await menu(), 'index']) {
      await page.goto(`${portal.origin}/${name}.html?lang=ru&port=${agent.port}`);
      await page.waitForSelector('#status.good');
      assert.deepEqual(await violations(page), [], name);
      assert.ok(await fits(page), name);
    }
    await page.waitForSelector('.card input:enabled');
    await page.evaluate(() => [...document.querySelectorAll('.card')].find((c) => !c.querySelector('.badge')).click());
    await page.click('#sign');
    await approved(page, '#result:not([hidden])');
    await page.click('#check');
    await page.waitForSelector('#checked p.valid');
  } finally {
    await other.close();
  }
});

check('no page had an error of its own', () => assert.deepEqual(broken, []));
