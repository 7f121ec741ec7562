// SPDX-License-Identifier: GPL-3.0-or-later
// One file from a page in Chromium to the agent, to a WebSocket that drops it, or nowhere: milliseconds of each stage, as JSON.
// internal/bench starts it: node send.mjs '{"way", "site", "port", "file", "host"}', after build. The ways are read, sink,
// websocket and extension.
import { registerHost, startChromium, workshop } from '../chromium.mjs';

const o = JSON.parse(process.argv[2]);

/** Runs in the page: reads the file and does nothing with it. */
async function read() {
  const reader = document.getElementById('file').files[0].stream().getReader();
  const start = performance.now();
  while (!(await reader.read()).done);
  return { whole: performance.now() - start };
}

/** Runs in the page: messages and window as the SDK has them, to a socket that only counts. */
async function sink({ site, length, window }) {
  const file = document.getElementById('file').files[0];
  const socket = new WebSocket(`${site.replace('http', 'ws')}/sink`);
  await new Promise((resolve) => (socket.onopen = resolve));
  let received = 0;
  let wake = () => undefined;
  socket.onmessage = (e) => wake((received = Number(e.data)));
  const heard = () => new Promise((resolve) => (wake = resolve));
  const head = new Uint8Array(12);
  const start = performance.now();
  for (let at = 0; at < file.size; at += length) {
    while (at + length - received > window) await heard();
    socket.send(new Blob([head, file.slice(at, at + length)]));
  }
  while (received < file.size) await heard();
  return { whole: performance.now() - start };
}

/** Runs in the page. */
async function sign({ way, port }) {
  const p = await Persten.connect({ transport: way, port });
  const certificate = (await p.certificates()).find((c) => c.usable && c.key.startsWith('GOST R 34.10-2012 256'));
  const at = {};
  const start = performance.now();
  const now = () => performance.now() - start;
  const s = await p.signCms(document.getElementById('file').files[0], {
    certificate,
    onTransfer: () => { at.sent = now(); },
    onProgress: (step) => { at[step] ??= now(); },
  });
  const whole = now();
  p.close();
  return { ...at, whole, bytes: s.size, key: certificate.key };
}

const shop = await workshop();
if (o.way === 'extension') await registerHost(shop.dir, `"${o.host}"`);
const browser = await startChromium(shop.dir, { extension: o.way === 'extension', env: process.env });
try {
  const tab = await browser.newPage();
  await tab.goto(`${o.site}/`);
  await tab.setInputFiles('#file', o.file);
  const work = { read, sink }[o.way] ?? sign;
  const figures = await tab.evaluate(work, { ...o, length: 4000 * 1024, window: 16 << 20 });
  console.log(JSON.stringify({ ...figures, browser: browser.browser()?.version() ?? '' }));
} finally {
  await browser.close();
  await shop.end();
}
