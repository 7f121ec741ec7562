// SPDX-License-Identifier: GPL-3.0-or-later
// The popup as a person meets it, with a real session: what it says of the agent, of the site and of what the site asked; in both
// languages, light and dark, and with axe's rules for people who use a keyboard or a screen reader.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { EXTENSION, registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { startDesktop, until } from './desktop.mjs';
import { openFirefoxPopup } from './firefox.mjs';
import { root } from './load.mjs';
import { standIn } from './wire.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);

let shop, desktop, agent, browser, portal, widget, popup;

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  const page = '<!doctype html><title>p</title><script src="umd/persten.js"></script>';
  widget = await serve('sdk', { 'page.html': page });
  portal = await serve('sdk', { 'page.html': page, 'framed.html': `${page}<iframe src="http://localhost:${widget.port}/page.html"></iframe>` });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
  await registerHost(shop.dir, `"${persten}"`);
  browser = await startChromium(shop.dir, { env: agent.env });
  popup = await browser.newPage();
  await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
  await popup.evaluate(() => chrome.storage.local.set({ lang: 'ru' })); // the browser's own language is that of the machine
});

after(async () => {
  await browser?.close();
  for (const x of [agent, portal, widget, desktop, shop]) await x?.end();
});

/** Opens the popup over a page: as the browser does, with that page's tab the active one. */
async function over(page) {
  await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
  await page.bringToFront();
  await popup.reload();
  await settled();
}

const settled = () => popup.waitForSelector('.state.good, .state.bad');

/** Visible text of a part of the popup, lines trimmed. */
const text = async (id) => (await popup.isVisible(id) ? (await popup.innerText(id)).replace(/\s*\n\s*/g, '\n').trim() : '');

async function open(url) {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}

async function shot(name) {
  if (process.env.SHOTS) await popup.locator('body').screenshot({ path: `${process.env.SHOTS}/popup-${name}.png` });
}

/** Every rule of axe, in each language and theme. */
async function accessible(name, langs = ['en', 'ru'], themes = ['light', 'dark']) {
  const source = await readFile(path.join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');
  for (const lang of langs) {
    if (await popup.getAttribute('html', 'lang') !== lang) await popup.click('#language');
    await popup.waitForSelector(`html[lang="${lang}"]`);
    await settled();
    for (const colorScheme of themes) {
      await popup.emulateMedia({ colorScheme });
      await shot(`${name}-${lang}-${colorScheme}`);
      const { violations } = await (await browser.newCDPSession(popup)).send('Runtime.evaluate', {
        expression: `${source}; axe.run(document).then((r) => JSON.stringify({ violations: r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]) }))`,
        awaitPromise: true,
      }).then((r) => JSON.parse(r.result.value));
      assert.deepEqual(violations, [], `${name} ${lang} ${colorScheme}`);
    }
  }
}

check('a page that never asked', async () => {
  const page = await open(`${portal.origin}/page.html`);
  await over(page);
  assert.equal(await text('#agent'), 'Persten работает');
  assert.match(await text('#version'), /^Версия программы: \S+\nТокенов подключено: 1$/);
  assert.equal(await text('#site'), 'Эта страница пока не обращалась к Persten.');
  assert.equal(await text('#requests') + await text('#change'), '');
  await accessible('quiet', ['ru'], ['light']);
  await page.close();
});

check('a site that asked: its permission, the way to change it, and its last requests in words', async () => {
  const page = await open(`${portal.origin}/page.html`);
  const sign = () => page.evaluate(async () => {
    window.p ??= await Persten.connect({ transport: 'extension' });
    const [certificate] = await p.certificates();
    return p.signCms({ text: 'Договор' }, { certificate }).then(() => 'signed', (e) => e.code);
  });
  const signed = sign();
  await desktop.prompt();
  await over(page);
  assert.equal(await text('#agent'), 'Persten ждёт вашего ответа в своём окне');
  await desktop.prompt();
  await desktop.insist(PIN);
  assert.equal(await signed, 'signed');
  await desktop.dismiss();
  const rejected = sign();
  await desktop.prompt();
  await desktop.dismiss();
  assert.equal(await rejected, 'user_rejected');
  await over(page);
  assert.match(await text('#site'), new RegExp(`^Сайту ${portal.origin} разрешено просить подпись\\.`));
  const lines = (await text('#requestList')).replace(/\d\d:\d\d/g, 'ЧЧ:ММ').split('\n');
  assert.deepEqual(lines, [
    'ЧЧ:ММ', 'Подпись документа', 'Вы отказались: подпись не создана.', 'ЧЧ:ММ', 'Список сертификатов', 'Выполнено',
    'ЧЧ:ММ', 'Подпись документа', 'Выполнено', 'ЧЧ:ММ', 'Список сертификатов', 'Выполнено',
  ]);
  assert.match(await popup.getAttribute('#requestList a', 'href'), /help\/index\.html\?lang=ru#user_rejected$/);
  await popup.click('#change summary');
  assert.equal(await text('#command'), `persten origins forget ${portal.origin}`);
  await accessible('used');
  await page.close();
});

check('a frame of another site: both stand there, and who asked', async () => {
  const page = await open(`${portal.origin}/framed.html`);
  await page.evaluate(() => Persten.connect({ transport: 'extension' }));
  const frame = page.frames()[1];
  const refused = await frame.evaluate(() => Persten.connect({ transport: 'extension', retryOrigin: false }).catch((e) => `${e.code} ${e.args.origin}`));
  assert.equal(refused, `origin_not_allowed http://localhost:${widget.port}`);
  await desktop.prompt();
  await desktop.dismiss();
  const denied = await frame.evaluate(() => Persten.connect({ transport: 'extension', retryOrigin: false }).catch((e) => e.code));
  assert.equal(denied, 'origin_denied');
  const around = await open(`http://localhost:${widget.port}/page.html`);
  await around.evaluate((src) => new Promise((resolve) => {
    const inner = document.body.appendChild(document.createElement('iframe'));
    Object.assign(inner, { onload: resolve, src });
  }), `${portal.origin}/page.html`);
  const inside = await around.frames()[1].evaluate(() => Persten.connect({ transport: 'extension', retryOrigin: false }).catch((e) => [e.code, e.args.origin]));
  assert.deepEqual(inside, ['origin_denied', `http://localhost:${widget.port}`], 'nor is an allowed site inside one that is not');
  await around.close();
  await over(page);
  assert.match(await text('#site'), new RegExp(`Сайту ${portal.origin} разрешено[^]*Сайту http://localhost:${widget.port} запрещено обращаться к Persten`));
  const command = `persten origins forget http://localhost:${widget.port}`;
  await popup.click('#change summary');
  assert.ok((await text('#command')).split('\n').includes(command));
  await accessible('frame', ['ru'], ['dark']);
  await agent.command(...command.split(' ').slice(1));
  const again = await frame.evaluate(() => Persten.connect({ transport: 'extension', retryOrigin: false }).catch((e) => e.code));
  assert.equal(again, 'origin_not_allowed', 'the command in the popup takes the answer back');
  await desktop.prompt();
  await desktop.dismiss();
  await page.close();
});

check('everything by keyboard; the language stays chosen', async () => {
  const page = await open(`${portal.origin}/page.html`);
  await over(page);
  const reached = [];
  for (let i = 0; i < 20; i++) {
    await popup.keyboard.press('Tab');
    const id = await popup.evaluate(() => document.activeElement?.id || document.activeElement?.tagName.toLowerCase());
    if (reached.includes(id)) break;
    reached.push(id);
  }
  assert.deepEqual(reached.slice(0, 4), ['language', 'changeName', 'a', 'faceCades']);
  assert.ok(reached.includes('faceRutoken') && reached.includes('help'), String(reached));
  await popup.focus('#language');
  await popup.keyboard.press('Enter');
  await popup.waitForSelector('html[lang="en"]');
  await popup.reload();
  await popup.waitForSelector('html[lang="en"]');
  await settled();
  assert.equal(await text('#agent'), 'Persten is running');
  await popup.click('#language');
  await popup.waitForSelector('html[lang="ru"]');
  await page.close();
});

check('an agent that is not there: what happened and what to do, and the way to look again', async () => {
  const page = await open(`${portal.origin}/page.html`);
  await registerHost(shop.dir, '/bin/false');
  await agent.end();
  await until(async () => {
    await over(page);
    return (await text('#agent')) === 'Persten установлен, но не запущен';
  }, 'the popup to say so');
  assert.match(await text('#next'), /Запустите Persten/);
  assert.equal(await text('#retry'), 'Проверить ещё раз');
  await accessible('absent');
  await page.close();
});

test('Firefox shows the same', { skip: browsers.firefox.missing, timeout: 120_000 }, async (t) => {
  const own = await workshop();
  await standIn(browsers.firefox, own.dir);
  const firefox = await browsers.firefox.start(own.dir, { env: { ...process.env, HOME: `${own.dir}/home` } });
  t.after(async () => {
    await firefox.close();
    await own.end();
  });
  const shown = await openFirefoxPopup(firefox);
  await shown.waitForSelector('.state.good');
  const read = (id) => shown.evaluate((selector) => document.querySelector(selector).textContent, id);
  assert.match(await read('#agent'), /^Persten (работает|is running)$/);
  assert.match(await read('#version'), /0\.0\.0-test\n[^]*1$/);
  const lang = await shown.evaluate(() => document.documentElement.lang);
  await shown.click('#language');
  await shown.waitForSelector(`html[lang="${lang === 'ru' ? 'en' : 'ru'}"]`);
});
