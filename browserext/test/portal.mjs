// SPDX-License-Identifier: GPL-3.0-or-later
// A portal written for another plug-in, in one of the browsers: the extension with a face turned on, a session with a SoftHSM key
// and the demonstration token's GOST keys, and a person who types PINs. What the browser says to the host is kept.
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { permitted, serve, workshop } from './chromium.mjs';
import { startDesktop } from './desktop.mjs';

export const DEMO_PIN = '12345678';
export { PIN };

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));

/** Why tests cannot run in a browser of this kind, or false. */
export const skipIn = (kind) => (missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`) || browsers[kind].missing;

/** Starts all of it with a portal of these pages. options are the browser's. */
export async function startPortal(kind, face, pages, options = {}) {
  const p = new Portal(browsers[kind]);
  p.shop = await workshop();
  const at = (name) => path.join(p.shop.dir, name);
  p.desktop = await startDesktop();
  p.site = await serve('demo', pages);
  p.agent = await startAgent(p.shop.dir, p.desktop.env, [p.site.origin], { options: ['--demo-token', at('demo')] });
  await writeFile(at('tee'), `#!/bin/sh\ntee -a "${at('wire')}" | "${persten}" "$@"\n`);
  await chmod(at('tee'), 0o755);
  await browsers[kind].registerHost(p.shop.dir, `"${at('tee')}"`);
  const extension = kind === 'chromium' ? await permitted(p.shop.dir) : true;
  p.browser = await browsers[kind].start(p.shop.dir, { env: p.agent.env, extension, ...options });
  await browsers[kind].turnOn(p.browser, p.site.origin, face);
  return p;
}

class Portal {
  constructor(kind) {
    this.kind = kind;
  }

  async open(name) {
    const page = await this.browser.newPage();
    await page.goto(`${this.site.origin}/${name}`);
    return page;
  }

  /** Runs f in the page while the person types a PIN; resolves to what f gave. */
  async signed(f, arg, pin, shot) {
    const made = this.page.evaluate(f, arg);
    made.catch(() => undefined);
    await Promise.race([this.desktop.prompt(), made.then((v) => Promise.reject(new Error(`nobody was asked: ${v}`)))]);
    if (shot) await this.desktop.shot(shot);
    await this.desktop.insist(pin);
    const result = await made;
    await this.desktop.dismiss();
    return result;
  }

  /** Everything the browser said to the host. */
  wire() {
    return readFile(path.join(this.shop.dir, 'wire'));
  }

  /** The document of the last signature, as the journal has it. */
  async lastDocument() {
    const records = JSON.parse((await this.agent.command('journal', 'list', '--json')).stdout);
    return records.findLast((r) => r.type === 'begin').documents[0];
  }

  async end() {
    for (const part of [() => this.browser?.close(), () => this.agent?.end(), () => this.site?.end(), () => this.desktop?.end(), () => this.shop?.end()]) await part();
  }
}
