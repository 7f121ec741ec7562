// SPDX-License-Identifier: GPL-3.0-or-later
// What the content script costs a page that does not use it: Chromium's own trace of compiling and running it, over 100 loads, and
// the time of those loads beside a browser without the extension.
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXTENSION, serve, startChromium, workshop } from './chromium.mjs';

const LOADS = 100;
const WORK = new Set(['EvaluateScript', 'FunctionCall', 'v8.compile', 'V8.CompileCode']);

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const rank = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)];

/** Loads the page and resolves to how long that took, as the page saw it, in milliseconds. */
async function load(page, url) {
  await page.goto(url);
  return page.evaluate(() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd);
}

/** Records a trace while f runs; resolves to its events. */
async function traced(cdp, f) {
  const events = [];
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'v8', 'disabled-by-default-v8.compile'] } });
  await f();
  const done = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
  await cdp.send('Tracing.end');
  await done;
  return events;
}

test('the content script costs a page that does not use it less than a millisecond', { timeout: 180_000 }, async (t) => {
  const site = await serve('sdk', { 'page.html': '<!doctype html><title>p</title><p>Страница</p>' });
  const url = `${site.origin}/page.html`;
  const shops = [await workshop(), await workshop()];
  const [withUs, without] = [await startChromium(shops[0].dir), await startChromium(shops[1].dir, { extension: false })];
  t.after(async () => {
    for (const b of [withUs, without]) await b.close();
    for (const s of [site, ...shops]) await s.end();
  });
  const [page, other] = [await withUs.newPage(), await without.newPage()];
  const times = { with: [], without: [] };
  for (let i = 0; i < LOADS; i++) {
    times.with.push(await load(page, url));
    times.without.push(await load(other, url));
  }
  const events = await traced(await withUs.newCDPSession(page), async () => {
    for (let i = 0; i < LOADS; i++) await load(page, url);
  });
  const ours = events.filter((e) => WORK.has(e.name) && e.ph === 'X' && JSON.stringify(e.args).includes(`${EXTENSION}/content.js`));
  const runs = ours.filter((e) => e.name === 'EvaluateScript').sort((a, b) => a.ts - b.ts);
  assert.equal(runs.length, LOADS, 'it ran once in each page');
  const costs = runs.map((run, i) => ours.filter((e) => e.ts >= run.ts && e.ts < (runs[i + 1]?.ts ?? Infinity) && outermost(e, ours)).reduce((sum, e) => sum + e.dur, 0) / 1000);
  t.diagnostic(`content script, ${LOADS} loads: median ${median(costs).toFixed(3)} ms, 95th percentile ${rank(costs, 0.95).toFixed(3)} ms`);
  t.diagnostic(`page load, median: ${median(times.with).toFixed(1)} ms with the extension, ${median(times.without).toFixed(1)} ms without`);
  assert.ok(median(costs) < 1, `${median(costs)} ms`);
});

/** Whether no other event holds this one: what is inside is counted already. */
function outermost(e, all) {
  return !all.some((o) => o !== e && o.pid === e.pid && o.tid === e.tid && o.ts <= e.ts && o.ts + o.dur >= e.ts + e.dur);
}
