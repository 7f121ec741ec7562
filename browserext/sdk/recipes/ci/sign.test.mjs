// SPDX-License-Identifier: MIT
// A portal's own test: a browser signs with the practice token, and the server's check accepts what came. Nobody is asked.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startPersten } from './persten.mjs';
import { verify } from '../server/verify.mjs';

const file = (name) => readFile(fileURLToPath(new URL(name, import.meta.url)));

test('a visitor signs an order', { timeout: 120_000 }, async (t) => {
  const sdk = process.env.PERSTEN_SDK ?? fileURLToPath(import.meta.resolve('@persten/sdk/umd/persten.js'));
  const portal = http.createServer(async (q, a) => {
    const script = q.url === '/persten.js';
    a.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    a.end(script ? await readFile(sdk) : await file('portal.html'));
  });
  await new Promise((resolve) => portal.listen(0, '127.0.0.1', resolve));
  t.after(() => portal.close());
  const origin = `http://127.0.0.1:${portal.address().port}`;
  const persten = await startPersten(origin);
  t.after(persten.end);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  t.after(() => browser.close());

  const page = await browser.newPage();
  await page.goto(`${origin}/?port=${persten.port}`);
  await page.click('#sign');
  await page.waitForFunction(() => document.getElementById('said').textContent !== '');
  const signature = Buffer.from(await page.textContent('#said'), 'base64');

  const { valid, signers } = await verify(signature, { content: Buffer.from('Order 7'), roots: persten.ca, crl: persten.crl });
  assert.equal(valid, true);
  assert.ok(signers[0].certificate.name);
  assert.equal((await verify(signature, { content: Buffer.from('Order 8'), roots: persten.ca, crl: persten.crl })).valid, false);
});
