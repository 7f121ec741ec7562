// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from '../load.mjs';

const { Model, Remote } = await load('src/compat/model.ts');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Thing extends Remote {
  log = [];
  #value = 0;
  get Value() { return this.#value; }
  set Value(v) { this.#value = v; }
  get When() { return new Date(Date.UTC(2026, 2, 5, 6, 7, 8, 9)); }
  get Child() { return (this.child ??= new Thing()); }
  async Slow(ms, name) { await pause(ms); this.log.push(name); return name; }
  Use(other) { other.log.push('used'); return other; }
  Is(v) { return v instanceof Thing; }
  Fail() { throw new TypeError('wrong'); }
  toString() { return 'a thing'; }
  hidden() { return 'ours'; }
}

const made = () => {
  const model = new Model((e) => new Error(`translated: ${e.message}`));
  const thing = new Thing();
  return { model, thing, page: model.page(thing) };
};

test('every member answers with a genuine promise, and what begins with a small letter is not there', async () => {
  const { page } = made();
  for (const p of [page.Value, page.propset_Value(1), page.Slow(0, 'x'), page.toString(), page.Child]) assert.ok(p instanceof Promise);
  assert.equal(await page.toString(), 'a thing');
  assert.deepEqual(Object.keys(page).sort(), ['Child', 'Fail', 'Is', 'Slow', 'Use', 'Value', 'When', 'objid', 'propset_Value', 'toString'].sort());
  for (const name of ['hidden', 'log', 'tail', 'then', 'constructor', '__proto__']) assert.ok(!Object.hasOwn(page, name), name);
});

test('dates are ISO strings, objects are objects, and always the same ones', async () => {
  const { page, thing } = made();
  assert.equal(await page.When, '2026-03-05T06:07:08.009Z');
  const child = await page.Child;
  assert.equal(await page.Child, child);
  assert.notEqual(child, thing.child, 'the page never holds what is behind an object');
  assert.equal(await page.Is(child), true);
  assert.equal(await page.Is({}), false);
  assert.equal(await page.Use(child), child);
  assert.deepEqual(thing.child.log, ['used']);
});

test('calls on an object take effect in their order, also when nobody waits, and across a failure', async () => {
  const { page, thing } = made();
  const all = [page.Slow(30, 'one'), page.propset_Value(7), page.Fail(), page.Slow(0, 'two'), page.Value];
  all[2].catch(() => undefined);
  assert.equal(await all[4], 7);
  assert.deepEqual(thing.log, ['one', 'two']);
  await assert.rejects(all[2], { message: 'translated: wrong' });
});

test('a call that is given an object waits for what was asked of that one before, and goes before what comes after', async () => {
  const { page, thing } = made();
  const child = await page.Child;
  await Promise.all([child.Slow(30, 'first'), page.Use(child), child.Slow(0, 'last')]);
  assert.deepEqual(thing.child.log, ['first', 'used', 'last']);
  assert.equal(await made().page.Is(child), false, "another model's object is nothing here");
});
