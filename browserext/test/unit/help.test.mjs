// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { load, root } from '../load.mjs';

const { Knowledge } = await load('help/match.ts');
const json = async (name) => JSON.parse(await readFile(path.join(root, '../proto', name), 'utf8'));
const [known, errors, foreign] = await Promise.all(['known.json', 'errors.json', 'foreign.json'].map(json));
const plain = (s) => s.replaceAll(/\[\[.*?\]\]|\s*«?"?\{\w+\}"?»?/g, '');

const knowledge = new Knowledge([
  ...known.map((k) => ({
    id: k.id, kind: 1, codes: [...(k.numbers ?? []).filter((n) => !n.startsWith('0x')), k.id], terms: k.terms ?? [],
    phrases: [...k.words, k.ru.title, k.en.title],
  })),
  ...errors.map((e) => ({ id: e.code, kind: 0.97, codes: [e.code], terms: [], phrases: [plain(e.ru.what), plain(e.en.what)] })),
  ...foreign.map((f) => ({ id: f.code, kind: 0.94, codes: [f.code], terms: [], phrases: [f.ru.what, f.en.what] })),
]);

test('the page finds what the agent finds, in the words people have', async () => {
  const lines = (await readFile(path.join(root, '../internal/doctor/testdata/phrases.txt'), 'utf8')).split('\n');
  const asked = lines.filter((l) => l.includes('\t')).map((l) => l.split('\t'));
  assert.ok(asked.length > 200);
  const wrong = asked.map(([want, phrase]) => [phrase, knowledge.find(phrase)[0] ?? '-', want]).filter(([, got, want]) => got !== want);
  assert.deepEqual(wrong, []);
});

test('every code finds its own entry', () => {
  for (const id of [...errors, ...foreign].map((e) => e.code).concat(known.map((k) => k.id))) assert.equal(knowledge.find(id)[0], id);
});

test('a very long or hostile text takes no long time', () => {
  for (const s of ['сертификат '.repeat(1e5), 'a'.repeat(1 << 20), '0x8'.repeat(1 << 18), 'ошибка '.repeat(1 << 16), '\u0000\u202e<script>']) {
    const began = Date.now();
    knowledge.find(s);
    assert.ok(Date.now() - began < 3000, s.slice(0, 20));
  }
});
