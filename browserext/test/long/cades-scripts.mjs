// SPDX-License-Identifier: GPL-3.0-or-later
// The vendor's own scripts, which are not ours to keep here, against the CryptoPro face: node cades-scripts.mjs DIR [BROWSER], after
// build. DIR holds copies of cadesplugin_api.js of any versions; a line for each says what a page with it found.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { startPortal } from '../portal.mjs';

const [dir, kind = 'chromium'] = process.argv.slice(2);
const names = (await readdir(dir)).filter((n) => n.endsWith('.js')).sort();
const pages = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await readFile(path.join(dir, n), 'utf8')])));
for (const n of names) pages[`${n}.html`] = `<!doctype html><meta charset="utf-8"><title>${n}</title><body><script src="${n}"></script></body>`;

/** Runs in the page: what its script makes of the face. */
async function look() {
  try {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('timeout')), 8000));
    await Promise.race([cadesplugin, late]);
    const store = await cadesplugin.CreateObjectAsync('CAdESCOM.Store');
    await store.Open();
    const spawned = await cadesplugin.async_spawn(function* () {
      return (yield (yield store.Certificates).Count);
    });
    return { version: cadesplugin.JSModuleVersion ?? '2.0', certificates: spawned, plugin: await (await cadesplugin.CreateObjectAsync('CAdESCOM.About')).Version };
  } catch (e) {
    return { failed: String(e?.message ?? e) };
  }
}

const portal = await startPortal(kind, 'cades', { ...pages, 'favicon.ico': '' });
let failed = 0;
try {
  for (const n of names) {
    const page = await portal.open(`${n}.html`);
    const found = await page.evaluate(look);
    failed += found.certificates === 5 ? 0 : 1;
    console.log(n, JSON.stringify(found));
    await page.close();
  }
} finally {
  await portal.end();
}
process.exitCode = failed;
