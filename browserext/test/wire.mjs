// SPDX-License-Identifier: GPL-3.0-or-later
// The wire between page and content script by hand, for hostile pages: a script for a page, and a stand-in host behind the browser.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './load.mjs';

/** A script that opens sessions without the SDK, says anything in them, and keeps what it hears. */
export const WIRE = `<!doctype html><title>wire</title><script src="umd/persten.js"></script><script>
  const hex = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
  function tickets(nonce = hex(), detail = JSON.stringify({ nonce })) {
    const found = [];
    const listen = (e) => found.push(JSON.parse(e.detail).ticket);
    addEventListener('persten:announce', listen);
    dispatchEvent(new CustomEvent('persten:discover', { detail }));
    removeEventListener('persten:announce', listen);
    return found;
  }
  class Raw {
    constructor(session = tickets()[0]) {
      Object.assign(this, { session, n: 0, heard: [] });
      addEventListener('message', (e) => e.data?.persten === 'from-agent' && e.data.session === session && this.heard.push(e.data));
      this.say('open');
    }
    say(kind, body) {
      postMessage({ persten: 'to-agent', session: this.session, n: ++this.n, kind, body }, location.origin);
    }
    call(id, method, params = {}) {
      this.say('rpc', JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    }
    answer(test, ms = 20000) {
      const end = Date.now() + ms;
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = this.heard.find(test);
          if (found) resolve(found);
          else if (Date.now() > end) reject(new Error('not heard'));
          else setTimeout(look, 20);
        };
        look();
      });
    }
    closed() {
      return this.answer((m) => m.kind === 'close').then((m) => m.reason);
    }
  }
</script>`;

/** Registers fixtures/host.mjs as the native host of a browser whose folder is dir. Resolves to a reader of what it saw. */
export async function standIn(browser, dir) {
  const log = path.join(dir, 'host.log');
  await mkdir(path.join(dir, 'home'), { recursive: true });
  await browser.registerHost(dir, `"${process.execPath}" "${path.join(root, 'test/fixtures/host.mjs')}" "${log}"`);
  return async () => (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').filter(Boolean).map((l) => JSON.parse(l));
}
