// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { load, root } from '../load.mjs';

const { translate, isKey, formatSize } = await load('demo/strings.ts');
const html = await readFile(path.join(root, 'demo/index.html'), 'utf8');

test('every text of the page exists in both languages, with the same gaps', async () => {
  const source = await readFile(path.join(root, 'demo/strings.ts'), 'utf8');
  const keys = [...source.matchAll(/^ {2}(\w+): ['"]/gm)].map((m) => m[1]);
  const gaps = (lang, key) => translate(lang, key, new Proxy({}, { get: (_, name) => `\u0001${name}\u0001` })).match(/\u0001\w+\u0001/g)?.sort() ?? [];
  assert.ok(keys.length > 100);
  for (const key of new Set(keys)) {
    assert.ok(translate('ru', key) && translate('en', key), key);
    assert.deepEqual(gaps('ru', key), gaps('en', key), key);
  }
  for (const [, key] of html.matchAll(/data-t(?:-label)?="(\w+)"/g)) assert.ok(isKey(key), key);
});

test('every control has a label, and nothing comes from elsewhere', () => {
  for (const [, id] of html.matchAll(/<(?:textarea|input)[^>]*? id="(\w+)"/g)) {
    assert.ok(html.includes(`for="${id}"`) || new RegExp(`<label><input id="${id}"`).test(html), id);
  }
  assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//);
});

test('sizes are told as people tell them', () => {
  for (const [lang, n, want] of [['ru', 0, '0 Б'], ['ru', 1023, '1023 Б'], ['ru', 1536, '1,5 КБ'], ['en', 1536, '1.5 KB'], ['en', 5 * 2 ** 30, '5 GB'], ['en', 2 ** 42, '4,096 GB']]) {
    assert.equal(formatSize(lang, n), want);
  }
});
