// SPDX-License-Identifier: MIT
import type { PageMethod } from '../src/proto.gen.js';
import { PerstenError, type Lang } from './errors.js';
import { discover, ExtensionTransport } from './extension.js';
import { metAgent, newChallenge, recognise } from './proof.js';
import { Connection, type Result } from './rpc.js';
import { sleep, type Transport } from './transport.js';
import { isObject, type Announcement } from './wire.js';
import { justClicked, loopbackState, openWebSocket, PORT, SUBPROTOCOL } from './websocket.js';

/** Behind the extension the browser may first have to start the agent; what answers a WebSocket is running. */
const HELLO_WITHIN = { extension: 15_000, websocket: 5_000 };
const ORIGIN_EVERY = 2_000;
const ORIGIN_WITHIN = 120_000;

/** How the agent is looked for. */
export interface WayOptions {
  /** Leave out to choose by itself: the extension when it announces itself, else the WebSocket. */
  transport?: 'extension' | 'websocket' | undefined;
  /** Language of error texts and of the agent's windows; the page's language by default. */
  lang?: Lang | undefined;
  signal?: AbortSignal | undefined;
  /** Methods the site cannot do without; an agent that lacks one is `version_too_old`. */
  needs?: readonly PageMethod[] | undefined;
  /** Name of the portal's program for the agent's log, at most 80 ASCII characters. */
  client?: string | undefined;
  /** Port of the WebSocket; for tests. */
  port?: number | undefined;
}

export interface ConnectOptions extends WayOptions {
  /** Wait up to two minutes while the person answers whether this site may use Persten. True by default. */
  retryOrigin?: boolean | undefined;
  /** Called when the person is being asked, so that the page can say so. */
  onWaiting?: ((code: 'origin_not_allowed') => void) | undefined;
  /**
   * Called before the browser asks the person whether this page may reach programs on this computer, so that the page can
   * explain why. What it returns is waited for; when that rejects, the browser does not ask and connect rejects with it.
   */
  onPermission?: (() => void | Promise<void>) | undefined;
}

export type Hello = Result<'agent.hello'>;
export interface Link {
  connection: Connection;
  hello: Hello;
}

/** The language of the page, as far as Persten speaks it. */
export function pageLang(): Lang {
  const lang = document.documentElement.lang || navigator.language;
  return lang.toLowerCase().startsWith('ru') ? 'ru' : 'en';
}

/** Opens a connection and says hello, waiting for the person's answer about this site when need be. */
export async function link(o: ConnectOptions, lang: Lang): Promise<Link> {
  const ask = { clicked: justClicked(), explain: o.onPermission };
  const until = Date.now() + ORIGIN_WITHIN;
  for (;;) {
    try {
      return await attempt(o, lang, await findExtension(o), ask);
    } catch (e) {
      const waiting = e instanceof PerstenError && e.code === 'origin_not_allowed';
      if (!waiting || o.retryOrigin === false || Date.now() >= until) throw e;
      o.onWaiting?.('origin_not_allowed');
      await sleep(ORIGIN_EVERY, o.signal);
    }
  }
}

/** The extension on this page, unless the other way is wanted. */
export async function findExtension(o: WayOptions): Promise<Announcement | undefined> {
  o.signal?.throwIfAborted();
  return o.transport === 'websocket' ? undefined : discover(window);
}

/** What the person may be asked on the way. Undefined: nothing, neither by the browser nor by the agent. */
export type Asking = { clicked: boolean; explain?: ConnectOptions['onPermission'] } | undefined;

/** Tries once. */
export async function attempt(o: WayOptions, lang: Lang, found: Announcement | undefined, ask: Asking): Promise<Link> {
  if (!isSecureContext) throw new PerstenError({ code: 'context_insecure' }, lang);
  const dial = async (): Promise<Link> => greet(await openWebSocket({ port: o.port ?? PORT, lang, ask, signal: o.signal }), o, lang, ask);
  if (!found && o.transport === 'extension') throw new PerstenError({ code: 'agent_not_installed' }, lang);
  if (!found) return dial();
  try {
    return await greet(new ExtensionTransport(window, found.ticket), o, lang, ask);
  } catch (e) {
    if (o.transport === 'extension' || !(await mayFallBack(e))) throw e;
    try {
      return await dial();
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

/** The first words with whoever answers. Until it has proved to be the agent, nothing of the person's is sent. */
async function greet(t: Transport, o: WayOptions, lang: Lang, ask: Asking): Promise<Link> {
  const connection = new Connection(t, lang);
  const late = AbortSignal.timeout(HELLO_WITHIN[t.kind]);
  const signal = o.signal ? AbortSignal.any([o.signal, late]) : late;
  const challenge = newChallenge();
  try {
    const params = { protocol: SUBPROTOCOL, lang, client: o.client ?? 'persten-sdk', challenge, ...(!ask && { quiet: true }) } as const;
    const hello = await connection.call('agent.hello', params, { signal });
    if (!isHello(hello)) throw new PerstenError({ code: 'agent_unknown' }, lang);
    const found = await recognise(hello.agent, challenge, t.kind);
    if (found !== 'known') throw new PerstenError({ code: 'not_our_agent' }, lang);
    if (o.needs?.some((m) => !hello.capabilities.includes(m))) {
      throw new PerstenError({ code: 'version_too_old', args: { version: hello.version } }, lang);
    }
    return { connection, hello };
  } catch (e) {
    connection.close();
    if (o.signal?.aborted) throw e;
    const failed = late.aborted ? new PerstenError({ code: t.kind === 'extension' ? 'agent_not_running' : 'not_our_agent' }, lang) : e;
    throw t.kind === 'extension' ? behindExtension(failed, lang) : beforeProof(failed, lang);
  }
}

function isHello(v: unknown): v is Hello {
  return isObject(v) && v['protocol'] === SUBPROTOCOL && typeof v['version'] === 'string' && Array.isArray(v['capabilities'])
    && v['origin'] === location.origin;
}

/** An agent from before proofs refuses the challenge as a parameter it does not know. */
function isOlder(e: PerstenError): boolean {
  return e.code === 'request_invalid' && (e.args['field'] === 'challenge' || e.args['field'] === 'quiet');
}

function behindExtension(e: unknown, lang: Lang): unknown {
  return e instanceof PerstenError && isOlder(e) ? new PerstenError({ code: 'version_too_old' }, lang) : e;
}

/** Codes that an agent which has proved nothing may be believed; each has words of our own. */
const BEFORE_PROOF = ['origin_not_allowed', 'origin_denied', 'request_limit', 'agent_unknown', 'version_too_old'];

/** What a program on the port says before it has proved anything is never shown: it could send the person anywhere. */
function beforeProof(e: unknown, lang: Lang): unknown {
  if (!(e instanceof PerstenError)) return e;
  if (isOlder(e) && !metAgent()) return new PerstenError({ code: 'version_too_old' }, lang);
  const code = BEFORE_PROOF.includes(e.code) ? e.code : 'not_our_agent';
  const { origin } = location;
  return new PerstenError({ code, args: code.startsWith('origin_') ? { origin } : code === 'version_too_old' ? e.args : {} }, lang);
}
