// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { load, root } from '../load.mjs';

const { translate, isKey, formatSize, ru, en } = await load('demo/strings.ts', 'demo/strings/ru.ts', 'demo/strings/en.ts');
const dist = path.join(root, 'dist/demo');
const names = (await readdir(dist)).filter((f) => f.endsWith('.html'));
const pages = new Map(await Promise.all(names.map(async (f) => [f, await readFile(path.join(dist, f), 'utf8')])));

test('every text exists in both languages, with the same gaps', () => {
  const gaps = (text) => text.match(/\{\w+\}/g)?.sort() ?? [];
  assert.ok(Object.keys(ru).length > 200);
  assert.deepEqual(Object.keys(en).sort(), Object.keys(ru).sort());
  for (const key of Object.keys(ru)) {
    assert.ok(translate('ru', key) && translate('en', key), key);
    assert.deepEqual(gaps(ru[key]), gaps(en[key]), key);
  }
});

test('every text is used', async () => {
  const files = (await readdir(path.join(root, 'demo'), { recursive: true })).filter((f) => /\.(ts|html)$/.test(f) && !/strings\/|\.gen\./.test(f));
  const sources = (await Promise.all([...files.map((f) => `demo/${f}`), 'build.mjs'].map((f) => readFile(path.join(root, f), 'utf8')))).join('\n');
  const { TEXTS } = await load('sdk/texts.gen.ts');
  const { ERROR_NUMBERS } = await load('src/proto.gen.ts');
  const steps = ['waiting', 'insert', 'token', 'signing', 'timestamp']; // what the agent says of its progress
  for (const key of Object.keys(ru)) {
    const page = /^(?:nav|title|lead)_(\w+)$/.exec(key)?.[1];
    const used = page ? sources.includes(`'${page}'`) : new RegExp(`['"\`]${key}['"\`]`).test(sources) || /^(state|link)_/.test(key);
    assert.ok(used || steps.includes(key) || key in ERROR_NUMBERS || key in TEXTS, `nothing says ${key}`);
  }
});

test('every page is complete: parts, texts, its module, its place in the menu', () => {
  assert.ok(pages.size >= 13, `${pages.size} pages`);
  for (const [name, html] of pages) {
    assert.doesNotMatch(html, /\{\{|undefined/, name);
    for (const [, key] of html.matchAll(/data-t(?:-label)?="(\w+)"/g)) assert.ok(isKey(key), `${name}: ${key}`);
    for (const [, link] of html.matchAll(/(?:href|src)="([\w/.-]+)"/g)) {
      assert.ok(pages.has(link) || /\.(svg|css|js)$/.test(link) || link === 'help/index.html', `${name} links to ${link}`);
    }
    for (const other of pages.keys()) assert.ok(html.includes(`href="${other}"`), `${name} has no way to ${other}`);
  }
});

test('every control has a label, no id is there twice, and nothing comes from elsewhere', () => {
  for (const [name, html] of pages) {
    for (const [, id] of html.matchAll(/<(?:textarea|input|select)[^>]*? id="(\w+)"/g)) {
      const labelled = html.includes(`for="${id}"`) || new RegExp(`<label><input id="${id}"|id="${id}"[^>]*aria-labelledby`).test(html);
      assert.ok(labelled, `${name}: ${id}`);
    }
    const ids = [...html.matchAll(/ id="([\w-]+)"/g)].map((m) => m[1]);
    assert.equal(new Set(ids).size, ids.length, name);
    assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//, name);
  }
});

test('sizes are told as people tell them', () => {
  for (const [lang, n, want] of [['ru', 0, '0 Б'], ['ru', 1023, '1023 Б'], ['ru', 1536, '1,5 КБ'], ['en', 1536, '1.5 KB'], ['en', 5 * 2 ** 30, '5 GB'], ['en', 2 ** 42, '4,096 GB']]) {
    assert.equal(formatSize(lang, n), want);
  }
});

test('what a page of a face asks to tick is what the popup has', async () => {
  for (const lang of ['ru', 'en']) {
    const popup = JSON.parse(await readFile(path.join(root, '_locales', lang, 'messages.json'), 'utf8'));
    for (const [page, name] of [['cades', 'faceCades'], ['rutoken', 'faceRutoken'], ['webeid', 'faceWebeid'], ['hwcrypto', 'faceHwcrypto']]) {
      assert.equal(translate(lang, `title_${page}`), popup[name].message);
    }
  }
});
