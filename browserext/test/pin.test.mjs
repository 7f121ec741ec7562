// SPDX-License-Identifier: GPL-3.0-or-later
// A person types the PIN on the display that the browser is on, and the browser, with all its processes, never has it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, readdirSync, readSync, closeSync } from 'node:fs';
import test from 'node:test';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { registerHost, serve, startChromium, workshop } from './chromium.mjs';
import { pause, startDesktop } from './desktop.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = (missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`)
  || (process.getuid() !== 0 && 'NOT RUN: reading the memory of a browser needs root');

const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Processes whose command line names the folder, and what those have started. */
function family(dir) {
  const pids = readdirSync('/proc').filter((n) => /^\d+$/.test(n));
  const parents = new Map(pids.map((pid) => [pid, / \w (\d+)/.exec(read(`/proc/${pid}/stat`).replace(/^.*\)/s, ''))?.[1]]));
  const found = new Set(pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes(dir)));
  for (let grew = true; grew;) {
    grew = false;
    for (const [pid, parent] of parents) if (found.has(parent) && !found.has(pid)) grew = !!found.add(pid);
  }
  return [...found].filter((pid) => /chrom/.test(read(`/proc/${pid}/cmdline`)));
}

/** How often each text is in the writable memory of a process, and how many bytes were searched. */
function search(pid, texts) {
  const step = 4 << 20, overlap = 256, buffer = Buffer.alloc(step + overlap);
  const hits = texts.map(() => 0);
  let size = 0, mem;
  try {
    mem = openSync(`/proc/${pid}/mem`, 'r');
  } catch {
    return { hits, size };
  }
  for (const line of read(`/proc/${pid}/maps`).split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || parseInt(to, 16) - parseInt(from, 16) > 2 ** 30) continue;
    for (let at = parseInt(from, 16); at < parseInt(to, 16); at += step) {
      let n = 0;
      try {
        n = readSync(mem, buffer, 0, Math.min(step + overlap, parseInt(to, 16) - at), at);
      } catch {
        continue; // nothing is there
      }
      size += Math.min(n, step);
      const part = buffer.subarray(0, n);
      texts.forEach((t, i) => {
        for (let p = part.indexOf(t); p >= 0 && p < step; p = part.indexOf(t, p + 1)) hits[i]++;
      });
    }
  }
  closeSync(mem);
  return { hits, size };
}

test('the PIN is in the memory of no process of the browser', { skip, timeout: 120_000 }, async (t) => {
  const shop = await workshop();
  const desktop = await startDesktop();
  const portal = await serve('demo');
  const agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
  await registerHost(shop.dir, `"${persten}"`);
  const browser = await startChromium(shop.dir, { env: agent.env });
  try {
    const texts = [Buffer.from(PIN), Buffer.from(PIN, 'utf16le')];
    const control = spawn('sh', ['-c', 'read x; read y'], { stdio: ['pipe', 'ignore', 'ignore'] }); // ends with us
    control.stdin.write(`${PIN}\n`);
    await pause(300);
    assert.ok(search(control.pid, texts).hits[0] > 0, 'the search finds a PIN that lies open');
    control.kill();
    const page = await browser.newPage();
    await page.goto(`${portal.origin}/?lang=ru&port=${agent.port}`);
    await page.waitForSelector('.card input:enabled');
    const sought = Buffer.from('Демонстрационный', 'utf16le');
    for (let i = 0; i < 3; i++) {
      await page.fill('#text', `Заявление ${i}`);
      await page.click('#sign');
      await desktop.prompt();
      await desktop.insist(PIN);
      await page.waitForSelector('#result:not([hidden])');
      await desktop.outcome();
      const pids = family(`${shop.dir}/profile`);
      let size = 0, seen = 0;
      for (const pid of pids) {
        const found = search(pid, [...texts, sought]);
        size += found.size;
        seen += found.hits[2];
        assert.deepEqual(found.hits.slice(0, 2), [0, 0], `${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 120)}`);
      }
      t.diagnostic(`${pids.length} processes of the browser, ${Math.round(size / 2 ** 20)} MiB: no PIN`);
      assert.ok(pids.length >= 3 && seen > 0, 'what the page shows is found in the browser');
      await desktop.dismiss();
    }
  } finally {
    await browser.close();
    await agent.end();
    await portal.end();
    await desktop.end();
    await shop.end();
  }
});
