// SPDX-License-Identifier: MIT
import { PerstenError, type Lang } from './errors.js';
import { discover, ExtensionTransport } from './extension.js';
import { Connection, type Result } from './rpc.js';
import { sleep, type Transport } from './transport.js';
import { isObject } from './wire.js';
import { answers, justClicked, loopbackState, openWebSocket, PORT, SUBPROTOCOL } from './websocket.js';

const HELLO_WITHIN = 15_000;
const ORIGIN_EVERY = 2_000;
const ORIGIN_WITHIN = 120_000;

export interface ConnectOptions {
  /** Leave out to choose by itself: the extension when it announces itself, else the WebSocket. */
  transport?: 'extension' | 'websocket' | undefined;
  /** Language of error texts and of the agent's windows; the page's language by default. */
  lang?: Lang | undefined;
  signal?: AbortSignal | undefined;
  /** Wait up to two minutes while the person answers whether this site may use Persten. True by default. */
  retryOrigin?: boolean | undefined;
  /** Called when the person is being asked, so that the page can say so. */
  onWaiting?: ((code: 'origin_not_allowed') => void) | undefined;
  /** Name of the portal's program for the agent's log, at most 80 ASCII characters. */
  client?: string | undefined;
  /** Port of the WebSocket; for tests. */
  port?: number | undefined;
}

export interface Detected {
  transport: 'extension' | 'websocket' | 'none';
  /** Why there is none, or what will be asked before it works. */
  reason?: 'agent_not_running' | 'browser_permission_needed' | 'browser_permission' | 'context_insecure';
}

export type Hello = Result<'agent.hello'>;
export interface Link {
  connection: Connection;
  hello: Hello;
}

/** Looks for a way to the agent without asking the person anything. */
export async function detect(o: { port?: number | undefined } = {}): Promise<Detected> {
  if (!isSecureContext) return { transport: 'none', reason: 'context_insecure' };
  if (await discover(window)) return { transport: 'extension' };
  const state = await loopbackState();
  if (state === 'denied') return { transport: 'none', reason: 'browser_permission' };
  if (state === 'prompt') return { transport: 'websocket', reason: 'browser_permission_needed' };
  if (await answers(o.port ?? PORT)) return { transport: 'websocket' };
  return { transport: 'none', reason: 'agent_not_running' };
}

/** The language of the page, as far as Persten speaks it. */
export function pageLang(): Lang {
  const lang = document.documentElement.lang || navigator.language;
  return lang.toLowerCase().startsWith('ru') ? 'ru' : 'en';
}

/** Opens a connection and says hello, waiting for the person's answer about this site when need be. */
export async function link(o: ConnectOptions, lang: Lang): Promise<Link> {
  if (!isSecureContext) throw new PerstenError({ code: 'context_insecure' }, lang);
  const clicked = justClicked();
  const until = Date.now() + ORIGIN_WITHIN;
  for (;;) {
    try {
      return await attempt(o, lang, clicked);
    } catch (e) {
      const waiting = e instanceof PerstenError && e.code === 'origin_not_allowed';
      if (!waiting || o.retryOrigin === false || Date.now() >= until) throw e;
      o.onWaiting?.('origin_not_allowed');
      await sleep(ORIGIN_EVERY, o.signal);
    }
  }
}

async function attempt(o: ConnectOptions, lang: Lang, clicked: boolean): Promise<Link> {
  o.signal?.throwIfAborted();
  const socket = { port: o.port ?? PORT, lang, clicked, signal: o.signal };
  if (o.transport === 'websocket') return greet(await openWebSocket(socket), o, lang);
  const found = await discover(window);
  if (!found) {
    if (o.transport === 'extension') throw new PerstenError({ code: 'agent_not_installed' }, lang);
    return greet(await openWebSocket(socket), o, lang);
  }
  try {
    return await greet(new ExtensionTransport(window, found.ticket), o, lang);
  } catch (e) {
    if (o.transport === 'extension' || !(await mayFallBack(e))) throw e;
    try {
      return await greet(await openWebSocket(socket), o, lang);
    } catch (second) {
      throw second instanceof PerstenError && second.code.startsWith('origin_') ? second : e;
    }
  }
}

/** Sandboxed browsers (snap, Flatpak) have the extension but no native messaging; the WebSocket helps if it asks nothing. */
async function mayFallBack(e: unknown): Promise<boolean> {
  if (!(e instanceof PerstenError) || (e.code !== 'agent_not_installed' && e.code !== 'agent_forbidden')) return false;
  const state = await loopbackState();
  return state === 'granted' || state === 'unneeded';
}

async function greet(t: Transport, o: ConnectOptions, lang: Lang): Promise<Link> {
  const connection = new Connection(t, lang);
  const late = AbortSignal.timeout(HELLO_WITHIN);
  const signal = o.signal ? AbortSignal.any([o.signal, late]) : late;
  try {
    const hello = await connection.call('agent.hello', { protocol: SUBPROTOCOL, lang, client: o.client ?? 'persten-sdk' }, { signal });
    if (!isHello(hello)) throw new PerstenError({ code: 'agent_unknown' }, lang);
    return { connection, hello };
  } catch (e) {
    connection.close();
    throw late.aborted && !o.signal?.aborted ? new PerstenError({ code: 'agent_not_running' }, lang) : e;
  }
}

/** Nothing of the person's is sent before the other side has proved to speak our protocol to our origin. */
function isHello(v: unknown): v is Hello {
  return isObject(v) && v['protocol'] === SUBPROTOCOL && typeof v['version'] === 'string' && v['origin'] === location.origin;
}
