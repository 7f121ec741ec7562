// SPDX-License-Identifier: GPL-3.0-or-later
// Chromium as the machine has it, with the extension that its policy forces on it, from a server of one's own, and the native host
// that the package told it of: a page signs a text through native messaging. signing.mjs BROWSEREXT PACKAGES prints the signature
// in base64.
import { mkdtemp, readFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

const [browserext, packages] = process.argv.slice(2);
const { startChromium } = await import(path.join(browserext, 'test/chromium.mjs'));
const { until } = await import(path.join(browserext, 'test/desktop.mjs'));

/** Serves what contentOf finds by path. */
async function serve(port, contentOf) {
  const server = http.createServer(async (q, a) => {
    const [type, content] = await contentOf(q.url.split('?')[0]).catch((e) => ['text/plain', String(e)]);
    a.setHeader('content-type', type);
    a.end(content);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
const types = { '.xml': 'text/xml', '.crx': 'application/x-chrome-extension' };
const servers = [
  await serve(8080, async (url) => (url === '/' ? ['text/html', '<!doctype html><title>p</title><script src="persten.js"></script>']
    : ['text/javascript', await readFile(path.join(browserext, 'dist/sdk/umd/persten.js'))])),
  await serve(8081, async (url) => [types[path.extname(url)], await readFile(path.join(packages, path.basename(url)))]),
];
const browser = await startChromium(await mkdtemp(path.join(os.tmpdir(), 'browser-')), {
  extension: false, // by policy
  without: ['--disable-background-networking', '--disable-component-extensions-with-background-pages'],
});
try {
  await until(() => browser.serviceWorkers().some((w) => w.url().startsWith('chrome-extension://')), 'the extension that policy forces', 60_000);
  const page = await browser.newPage();
  await until(async () => {
    await page.goto('http://127.0.0.1:8080/');
    return (await page.evaluate(() => Persten.detect())).transport === 'extension';
  }, 'the page finds the extension');
  console.log(await page.evaluate(async () => {
    const persten = await Persten.connect({ transport: 'extension', lang: 'en' });
    const [certificate] = await persten.certificates();
    const { signature } = await persten.signCms({ text: 'signed in a browser' }, { certificate, attached: true });
    return btoa(String.fromCharCode(...signature));
  }));
} finally {
  await browser.close();
  for (const s of servers) s.close();
}
