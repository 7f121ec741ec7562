// SPDX-License-Identifier: GPL-3.0-or-later
// Pages with the marks of plug-ins that have no public interface, as those and their sites leave them: what the popup says, and
// that nothing is put into the page. The browser chooses the popup's language. No agent is needed; the browser chooses the language.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { EXTENSION, permitted, serve, startChromium, workshop } from './chromium.mjs';
import { noFirefox, openFirefoxPopup, startFirefox } from './firefox.mjs';

const check = (name, f) => test(name, { timeout: 60_000 }, f);

const library = '<script>function IFCPlugin(o) { this.libVersion = "3.1.0.4"; } var IFCError = { IFC_OK: 0 };</script>';
const object = '<object id="IFCPlugin" type="application/x-ifcplugin" width="1" height="1"></object>';
const program = '<div id="ifcplugin-extension-is-installed"></div><div id="ifc-plugin-is-installed"></div>';
const gosplugin = '<meta property="gosuslugi.plugin.extension.content" content="extension">';
const page = (head, body) => `<!doctype html><html><head><meta charset="utf-8"><title>Портал</title>${head}</head><body>${body}</body></html>`;

let shop, site, browsers;

before(async () => {
  shop = { plain: await workshop(), permitted: await workshop() };
  site = await serve('demo', {
    'favicon.ico': '', 'plain.html': page('', 'Ничего'), 'needed.html': page('', object), 'library.html': page(library, ''), 'there.html': page(library, object + program),
    'both.html': page(library + gosplugin, object + program), 'kontur.html': page('<meta kontur-toolbox-installed="true">', ''),
  });
  browsers = {
    plain: await startChromium(shop.plain.dir),
    permitted: await startChromium(shop.permitted.dir, { extension: await permitted(shop.permitted.dir) }),
  };
});

after(async () => {
  for (const b of Object.values(browsers ?? {})) await b.close();
  await site?.end();
  for (const s of Object.values(shop ?? {})) await s.end();
});

/** What the popup says of a page, its links, and what happened in the page meanwhile. */
async function popupOf(kind, name) {
  const browser = browsers[kind];
  const tab = await browser.newPage();
  const noise = [];
  tab.on('console', (m) => noise.push(m.text()));
  tab.on('pageerror', (e) => noise.push(e.message));
  await tab.goto(`${site.origin}/${name}.html`);
  const inside = () => tab.evaluate(() => [Object.keys(window).length, document.documentElement.outerHTML]);
  const before = await inside();
  const worker = browser.serviceWorkers()[0] ?? await browser.waitForEvent('serviceworker');
  const id = await worker.evaluate(async () => (await chrome.tabs.query({ active: true })).at(-1).id);
  const popup = await browser.newPage();
  await popup.addInitScript((t) => Object.assign(chrome.tabs, { query: async () => [{ id: t }] }), id);
  await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
  await popup.waitForSelector('#faces:not([hidden])');
  const said = await popup.evaluate(() => {
    const section = document.getElementById('beside');
    return { hidden: section.hidden, text: section.innerText, links: Array.from(section.querySelectorAll('a'), (a) => a.href) };
  });
  if (process.env.SHOTS) await popup.screenshot({ path: `${process.env.SHOTS}/beside-${kind}-${name}.png` });
  assert.deepEqual(await inside(), before, 'nothing was put into the page');
  assert.deepEqual(noise, []);
  await popup.close();
  await tab.close();
  return said;
}

check('a page that needs nobody: nothing is said', async () => {
  for (const kind of ['plain', 'permitted']) assert.deepEqual(await popupOf(kind, 'plain'), { hidden: true, text: '', links: [] });
});

check('a site of Gosuslugi without its plug-in: what is missing, and where to get it', async () => {
  const said = await popupOf('plain', 'needed');
  assert.match(said.text, /needs its own plug-in: Gosuslugi plug-in[\s\S]*Install|нужен свой плагин: Плагин Госуслуг[\s\S]*Установите/);
  assert.deepEqual(said.links, ['https://ds-plugin.gosuslugi.ru/plugin/upload/Index.spr']);
});

check("a library without elements is seen only where the person permitted the site", async () => {
  assert.equal((await popupOf('plain', 'library')).hidden, true);
  assert.match((await popupOf('permitted', 'library')).text, /needs its own plug-in: Gosuslugi plug-in|нужен свой плагин: Плагин Госуслуг/);
});

check('the plug-in is there: it signs, in its own name and version', async () => {
  const said = await popupOf('permitted', 'there');
  assert.match(said.text, /(Gosuslugi plug-in|Плагин Госуслуг) 3\.1\.0\.4\. (It is installed|Он установлен)/);
  assert.deepEqual(said.links, []);
});

check('both plug-ins of the state at once: which disturb each other', async () => {
  assert.match((await popupOf('plain', 'both')).text, /Gosuslugi plug-in, Gosplugin\. They disturb[\s\S]*Turn the older one off|Плагин Госуслуг, Госплагин\. Они мешают[\s\S]*Выключите старое/);
});

check('a plug-in that is there but not needed is not spoken of', async () => {
  assert.equal((await popupOf('plain', 'kontur')).hidden, true);
});

test('Firefox: the content script sees the marks', { skip: noFirefox(), timeout: 60_000 }, async () => {
  const firefox = await startFirefox(shop.plain.dir);
  try {
    const tab = await firefox.newPage();
    await tab.goto(`${site.origin}/there.html`);
    const popup = await openFirefoxPopup(firefox);
    const seen = await popup.evaluate(async () => {
      const answers = await Promise.all((await chrome.tabs.query({})).map((t) => chrome.tabs.sendMessage(t.id, 'beside', { frameId: 0 }).catch(() => undefined)));
      return answers.find(Boolean);
    });
    assert.deepEqual(seen, [{ plugin: 'gosuslugi', installed: true, needed: true }]);
  } finally {
    await firefox.close();
  }
});
