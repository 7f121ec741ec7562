// SPDX-License-Identifier: GPL-3.0-or-later
// A gigabyte signed from a page in Chromium, through the WebSocket and through the extension: MiB/s of each stage, and how
// much memory the session took. Not part of the tests; PERSTEN_LONG=1 node test/long/gigabyte.mjs [MiB] [repeats], after build.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { persten } from '../agent.mjs';
import { registerHost, serve, startChromium, workshop } from '../chromium.mjs';
import { until } from '../desktop.mjs';
import { root } from '../load.mjs';

if (!process.env.PERSTEN_LONG) {
  console.log('not run: PERSTEN_LONG=1 sends gigabytes');
  process.exit(0);
}
const size = Number(process.argv[2] ?? 1024);
const repeats = Number(process.argv[3] ?? 3);
const port = 24999;

/** A session with the practice token, approved by pinentry.sh. */
async function startSession(dir, origin) {
  const env = { ...process.env };
  for (const [name, folder] of Object.entries({ HOME: 'home', XDG_CONFIG_HOME: 'config', XDG_STATE_HOME: 'state', XDG_RUNTIME_DIR: 'run', XDG_CACHE_HOME: 'cache' })) {
    mkdirSync((env[name] = path.join(dir, folder)), { mode: 0o700 });
  }
  mkdirSync(path.join(dir, 'config/persten'), { mode: 0o700 });
  writeFileSync(path.join(dir, 'config/persten/config.toml'), `[ui]
approver = "pinentry"
pinentry = ${JSON.stringify(path.join(root, 'test/long/pinentry.sh'))}
[origins]
allow = [${JSON.stringify(origin)}]
[listen]
websocket = "127.0.0.1:${port}"
`, { mode: 0o600 });
  const log = path.join(dir, 'session.log');
  const session = spawn(persten, ['session', '--demo-token', path.join(dir, 'token')], { env, stdio: ['ignore', 'ignore', openSync(log, 'a')] });
  await until(() => fetch(`http://127.0.0.1:${port}/health`).then((r) => r.ok, () => false), 'the session').catch((e) => {
    throw new Error(`${e.message}\n${readFileSync(log, 'utf8')}`);
  });
  return { session, env, log };
}

const memory = (pid, what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const mean = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Runs in the page. */
async function sign({ transport, port, size }) {
  const p = await Persten.connect({ transport, port });
  const all = await p.certificates();
  const certificate = all.find((c) => c.usable && /34\.10-2012 256|2012.*256/.test(c.key)) ?? all.find((c) => c.usable);
  const piece = crypto.getRandomValues(new Uint8Array(65536));
  const block = new Blob(Array.from({ length: 1024 }, () => piece)); // 64 MiB
  const file = new Blob(Array.from({ length: size / 64 }, () => block));
  const start = performance.now();
  const at = {};
  const s = await p.signCms(file, {
    certificate, name: 'large.bin',
    onTransfer: () => { at.sent = performance.now() - start; },
    onProgress: (step) => { at[step] ??= performance.now() - start; },
  });
  const whole = performance.now() - start;
  p.close();
  return { whole, at, key: certificate.key, bytes: s.size };
}

const shop = await workshop();
const page = { 'page.html': '<!doctype html><title>p</title><script src="/persten.iife.js"></script>' };
const site = await serve('sdk', page);
const agent = await startSession(shop.dir, site.origin);
await registerHost(shop.dir, `"${persten}"`);
const browser = await startChromium(shop.dir, { env: agent.env });
try {
  for (const transport of ['websocket', 'extension']) {
    const runs = [];
    for (let i = 0; i < repeats; i++) {
      const tab = await browser.newPage();
      await tab.goto(`${site.origin}/page.html`);
      writeFileSync(`/proc/${agent.session.pid}/clear_refs`, '5');
      const before = memory(agent.session.pid, 'VmHWM');
      const r = await tab.evaluate(sign, { transport, port, size });
      runs.push({ ...r, grown: memory(agent.session.pid, 'VmHWM') - before, before });
      await tab.close();
    }
    const s = (f) => mean(runs.map(f)) / 1000;
    const sent = s((r) => r.at.sent);
    console.log(`${transport}, ${size} MiB, ${runs[0].key}, median of ${repeats}: ${s((r) => r.whole).toFixed(1)} s in all; sent ${sent.toFixed(1)} s (${(size / sent).toFixed(0)} MiB/s), ` +
      `rest of hashing until asked ${s((r) => r.at.waiting - r.at.sent).toFixed(1)} s, approval ${s((r) => r.at.signing - r.at.waiting).toFixed(1)} s, ` +
      `hashed again and signed ${s((r) => r.whole - r.at.signing).toFixed(1)} s; session memory +${Math.max(...runs.map((r) => r.grown)).toFixed(0)} MiB on ${runs[0].before.toFixed(0)}`);
  }
} catch (e) {
  console.error(readFileSync(agent.log, 'utf8'));
  throw e;
} finally {
  await browser.close();
  await site.end();
  agent.session.kill();
  await shop.end();
}
