// SPDX-License-Identifier: GPL-3.0-or-later
// Chromium as the machine has it, with the extension and the native host that the package told it of: a page signs a text through
// native messaging. signing.mjs BROWSEREXT prints the signature in base64.
import { mkdtemp } from 'node:fs/promises';
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const [browserext] = process.argv.slice(2);
const { startChromium } = await import(path.join(browserext, 'test/chromium.mjs'));
const sdk = await readFile(path.join(browserext, 'dist/sdk/umd/persten.js'));
const server = http.createServer((q, a) => {
  a.setHeader('content-type', q.url === '/' ? 'text/html' : 'text/javascript');
  a.end(q.url === '/' ? '<!doctype html><title>p</title><script src="persten.js"></script>' : sdk);
});
await new Promise((resolve) => server.listen(8080, '127.0.0.1', resolve));
const browser = await startChromium(await mkdtemp(path.join(os.tmpdir(), 'browser-')));
try {
  const page = await browser.newPage();
  await page.goto('http://127.0.0.1:8080/');
  console.log(await page.evaluate(async () => {
    const persten = await Persten.connect({ transport: 'extension', lang: 'en' });
    const [certificate] = await persten.certificates();
    const { signature } = await persten.signCms({ text: 'signed in a browser' }, { certificate, attached: true });
    return btoa(String.fromCharCode(...signature));
  }));
} finally {
  await browser.close();
  server.close();
}
