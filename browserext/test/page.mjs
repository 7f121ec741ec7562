// SPDX-License-Identifier: GPL-3.0-or-later
// A page of a browser as far as the SDK sees it: its window, permissions, storage, and what answers on the agent's port.
import assert from 'node:assert/strict';
import { FakePort, FakeWindow } from './fakes.mjs';
import { newAgentKey } from './fixtures/proof.mjs';

export const origin = 'https://portal.example';
export const hello = { protocol: 'persten.v1', version: '0.1.0', capabilities: ['sign.cms'], origin };
export const us = newAgentKey();

/** The answer of an agent, with our key or another. */
export const greeting = (by = us) => ({ challenge }) => ({ ...hello, agent: by.prove(origin, challenge) });

/** What the page meets; tests change it. */
export const world = {};

/** A WebSocket whose server is world.agent; agent.refuse makes the handshake fail, agent.silent leaves it open. */
class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    world.sockets.push(this);
    setTimeout(() => {
      if (world.agent.refuse?.()) return this.onclose?.();
      this.readyState = 1;
      this.onopen();
    });
  }
  send(text) {
    this.sent.push(JSON.parse(text));
    answer(JSON.parse(text), (m) => this.onmessage?.({ data: typeof m === 'string' ? m : JSON.stringify(m) }));
  }
  close() {
    this.readyState = 3;
    setTimeout(() => this.onclose?.());
  }
}

function answer({ id, method, params }, reply) {
  if (id === undefined) return;
  try {
    reply({ jsonrpc: '2.0', id, result: world.agent[method](params) });
  } catch (data) {
    reply({ jsonrpc: '2.0', id, error: { code: 1, message: 'no', data } });
  }
}

/** Puts the extension into the page, with an agent behind it, or a reason why there is none. */
export function install(relay, reason) {
  relay(globalThis.window, {
    version: '0.1.0', known: true,
    connect: () => {
      const port = new FakePort();
      port.postMessage = (m) => setTimeout(() => (reason ? port.receive({ kind: 'close', reason })
        : answer(JSON.parse(m.body), (r) => port.receive({ kind: 'rpc', body: JSON.stringify(r) }))));
      return port;
    },
  });
}

export const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

/** What GET /health comes to for each kind of program on the port; text is what a page may read. */
const HEALTH = { ours: 'persten\n', other_user: "another user's persten\n", garbage: 'It works!', unreadable: undefined };

async function fakeFetch(url, o) {
  assert.equal(url, 'http://127.0.0.1:24117/health');
  assert.deepEqual([o.cache, o.credentials], ['no-store', 'omit']);
  if (world.health === 'none' || (world.health === 'unreadable' && o.mode === 'cors')) throw new TypeError('Failed to fetch');
  if (world.health === 'endless') return new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65536)) }));
  return new Response(HEALTH[world.health], { status: world.health === 'other_user' ? 403 : 200 });
}

class FakeStorage {
  items = new Map();
  getItem(name) { return this.items.get(name) ?? null; }
  setItem(name, value) { this.items.set(name, String(value)); }
  removeItem(name) { this.items.delete(name); }
}

const wait = globalThis.setTimeout;
/** The time an extension has to announce itself: here it does so at once or never. */
const ANNOUNCE_WITHIN = 400;

/** A fresh page: an agent that is ours, everything permitted, no extension. */
export function openPage() {
  Object.assign(world, {
    agent: { 'agent.hello': greeting(), 'certificates.list': () => ({ certificates: [], problems: [] }) },
    permission: { 'loopback-network': 'granted' }, clicked: true, health: 'ours', sockets: [],
  });
  define('window', new FakeWindow(origin));
  define('document', { documentElement: { lang: 'en' }, addEventListener() {}, removeEventListener() {} });
  define('location', { origin, hostname: 'portal.example' });
  define('isSecureContext', true);
  define('setTimeout', (f, ms, ...rest) => wait(f, ms === ANNOUNCE_WITHIN ? 5 : ms, ...rest));
  define('WebSocket', FakeSocket);
  define('localStorage', new FakeStorage());
  define('fetch', fakeFetch);
  define('navigator', {
    language: 'en',
    get userActivation() { return { isActive: world.clicked }; },
    permissions: { query: async ({ name }) => {
      if (!(name in world.permission)) throw new TypeError(`unknown permission ${name}`);
      return { state: world.permission[name] };
    } },
  });
}
