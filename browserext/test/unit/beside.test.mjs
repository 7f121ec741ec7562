// SPDX-License-Identifier: GPL-3.0-or-later
// Plug-ins that are not stood in for: what is said of them. How their marks are found is beside.test.mjs's, in browsers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from '../load.mjs';

const { besideError, OTHER_PLUGINS, otherPlugins, findBeside } = await load('sdk/beside.ts', 'src/status/beside.ts');

const found = (plugin, needed, installed) => ({ plugin, needed, installed });
const said = (...all) => besideError(all, 'ru');

test('what the person is told: what is missing, what disturbs, and nothing when all is well', () => {
  const table = [
    [undefined],
    ['other_plugin_needed', found('gosuslugi', true, false)],
    ['other_plugin_needed', found('kontur', true, false)],
    ['other_plugin_needed', found('gosuslugi', true, false), found('gosplugin', true, false)],
    ['other_plugin_needed', found('kontur', true, false), found('gosplugin', true, true)],
    [undefined, found('gosuslugi', true, true)],
    [undefined, found('gosuslugi', true, false), found('gosplugin', true, true)],
    [undefined, found('kontur', false, true)],
    ['other_plugin_conflict', found('gosuslugi', true, true), found('gosplugin', false, true)],
  ];
  for (const [code, ...all] of table) assert.equal(said(...all)?.code, code, JSON.stringify(all));
  assert.match(said(found('gosuslugi', true, false)).message, /Плагин Госуслуг/);
  assert.match(besideError([found('gosplugin', true, false)], 'en').advice, /^Install/);
});

test('their pages are https', () => {
  for (const { url } of Object.values(OTHER_PLUGINS)) assert.match(url, /^https:\/\/[\w.-]+\.ru\//);
});

/** Runs f where a page has these elements, names and this host. */
function inPage({ elements = [], names = {}, host = 'portal.example' }, f) {
  const page = { document: { querySelector: (all) => (all.split(',').some((s) => elements.includes(s)) ? {} : null) }, window: names, location: { hostname: host } };
  Object.assign(globalThis, page);
  try {
    return f();
  } finally {
    for (const name of Object.keys(page)) delete globalThis[name];
  }
}

test('marks are told apart; no mark is no plug-in', () => {
  assert.deepEqual(inPage({}, otherPlugins), []);
  for (const host of ['kontur.ru', 'auth.kontur.ru']) assert.deepEqual(inPage({ host }, otherPlugins), [found('kontur', true, false)], host);
  for (const host of ['notkontur.ru', 'kontur.ru.portal.example']) assert.deepEqual(inPage({ host }, otherPlugins), [], host);
  assert.deepEqual(inPage({ names: { IFCError: {} } }, otherPlugins), [found('gosuslugi', true, false)]);
  assert.deepEqual(inPage({ elements: ['meta[kontur-toolbox-installed]'] }, otherPlugins), [found('kontur', false, true)]);
});

test('an answer from the page is believed only where it is understood', async () => {
  const hostile = [
    null, 7, 'x', { plugin: 'toString', needed: true }, { plugin: 'kontur', needed: 'yes', installed: {}, version: '<b>' },
    { plugin: 'gosplugin', needed: true, installed: false, version: '1.2.3', more: 'x' },
  ];
  const ours = [found('kontur', false, false), { ...found('gosplugin', true, false), version: '1.2.3' }];
  const asked = [];
  globalThis.chrome = { tabs: { sendMessage: async (...args) => (asked.push(args), hostile) }, scripting: { executeScript: async () => [{ result: hostile }] } };
  try {
    assert.deepEqual(await findBeside(5, false), ours);
    assert.deepEqual(asked, [[5, 'beside', { frameId: 0 }]]);
    assert.deepEqual(await findBeside(5, true), ours);
    for (const answer of [undefined, {}, 'x', { length: 1 }]) {
      globalThis.chrome.tabs.sendMessage = async () => answer;
      assert.deepEqual(await findBeside(5, false), []);
    }
    globalThis.chrome.tabs.sendMessage = () => Promise.reject(new Error('no receiver'));
    globalThis.chrome.scripting.executeScript = () => Promise.reject(new Error('no permission'));
    assert.deepEqual(await findBeside(5, true), []);
  } finally {
    delete globalThis.chrome;
  }
});
