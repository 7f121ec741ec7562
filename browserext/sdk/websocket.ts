// SPDX-License-Identifier: MIT
import { PerstenError, type Lang } from './errors.js';
import { abortable, sleep, type Transport } from './transport.js';
import type { Reason } from './wire.js';

/** The agent's port and subprotocol. The address is the literal one: `localhost` may resolve to somebody else's ::1. */
export const PORT = 24117;
export const SUBPROTOCOL = 'persten.v1';
/** Offered beside it by a page that only looks: the agent then asks nobody about the site. */
const QUIET = 'persten.quiet';
const HANDSHAKE = 5_000;
/** While the browser asks the person, the connection waits for the answer. */
const ASKING = 120_000;
/** The browser tells of what a page's policy refused a moment after the refusal. */
const TOLD_WITHIN = 20;

export type LoopbackState = 'granted' | 'prompt' | 'denied' | 'unneeded';

/** What stands between this page and the loopback interface, as far as the browser tells. */
export async function loopbackState(): Promise<LoopbackState> {
  if (['127.0.0.1', 'localhost', '[::1]'].includes(location.hostname)) return 'unneeded';
  for (const name of ['loopback-network', 'local-network-access']) {
    try {
      return (await navigator.permissions.query({ name: name as PermissionName })).state;
    } catch {
      // A browser that does not know the name has no such check, or knows the older name.
    }
  }
  return 'unneeded';
}

/** Whether the person just did something here; without it a permission question would come out of nowhere. */
export function justClicked(): boolean {
  return navigator.userActivation?.isActive ?? true;
}

/** What answers on the agent's port: the agent, that of another user of this computer, another program, or nothing. */
export type Health = 'ours' | 'other_user' | 'foreign' | 'none';

const HEALTHY: Readonly<Record<string, Health>> = { 'persten\n': 'ours', "another user's persten\n": 'other_user' };

/** Asks the port who is there. A program that takes the connection and says nothing is another one. */
export async function health(port: number, signal?: AbortSignal): Promise<Health> {
  const late = AbortSignal.timeout(HANDSHAKE);
  const get = (mode: RequestMode): Promise<Response> => fetch(`http://127.0.0.1:${port}/health`, {
    mode, cache: 'no-store', credentials: 'omit', redirect: mode === 'cors' ? 'error' : 'follow', signal: signal ? AbortSignal.any([signal, late]) : late,
  });
  try {
    return HEALTHY[await beginning(await get('cors'))] ?? 'foreign';
  } catch {
    // Not for us to read: another program's answer, or nobody's.
  }
  return get('no-cors').then(() => 'foreign', () => (late.aborted ? 'foreign' : 'none'));
}

/** As much of an answer as ours has, and a little more; another program's may never end. */
async function beginning(r: Response): Promise<string> {
  const reader = r.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (reader && text.length < 64) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value.subarray(0, 64), { stream: true });
  }
  reader?.cancel().catch(() => undefined);
  return text;
}

export interface WebSocketOptions {
  port: number;
  lang: Lang;
  /** What the person may be asked; undefined for nothing. */
  ask: { clicked: boolean; explain?: (() => void | Promise<void>) | undefined } | undefined;
  signal?: AbortSignal | undefined;
}

/** Opens the WebSocket, or finds out why it cannot be opened. */
export async function openWebSocket(o: WebSocketOptions): Promise<Transport> {
  const state = await loopbackState();
  if (state === 'denied') throw new PerstenError({ code: 'browser_permission' }, o.lang);
  if (state === 'prompt') {
    if (!o.ask?.clicked) throw new PerstenError({ code: 'browser_permission_needed' }, o.lang);
    await o.ask.explain?.();
    o.signal?.throwIfAborted();
  }
  const refusals = new PolicyWatch(o.port);
  try {
    return await dial(o, state === 'prompt' ? ASKING : HANDSHAKE);
  } catch (cause) {
    if (o.signal?.aborted) throw cause;
    const reason = await diagnose(o.port, o.signal);
    await sleep(TOLD_WITHIN, o.signal);
    throw new PerstenError(refusals.seen ? { code: 'page_policy' } : reason, o.lang);
  } finally {
    refusals.stop();
  }
}

async function diagnose(port: number, signal?: AbortSignal): Promise<Reason> {
  const state = await loopbackState();
  if (state === 'denied' || state === 'prompt') return { code: 'browser_permission', args: { state } };
  switch (await health(port, signal)) {
    case 'ours': return { code: 'origin_not_allowed', args: { origin: location.origin } };
    case 'other_user': return { code: 'other_user' };
    case 'foreign': return { code: 'agent_unknown' };
    case 'none': return { code: 'agent_not_running' };
  }
}

async function dial(o: WebSocketOptions, within: number): Promise<Transport> {
  const socket = new WebSocket(`ws://127.0.0.1:${o.port}`, o.ask ? [SUBPROTOCOL] : [SUBPROTOCOL, QUIET]);
  const opened = new Promise<Transport>((resolve, reject) => {
    const timer = setTimeout(() => socket.close(), within);
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(new WebSocketTransport(socket));
    };
    // Chromium fires error alone when the page's own policy refuses the address.
    socket.onclose = socket.onerror = () => {
      clearTimeout(timer);
      reject(new Error('connection refused'));
    };
  });
  return abortable(opened, o.signal, () => socket.close());
}

/** Notices when the page's own Content-Security-Policy refused the agent's address, for the WebSocket or for finding out why it failed. */
class PolicyWatch {
  seen = false;
  private readonly listen = (e: SecurityPolicyViolationEvent): void => {
    if ([`ws://127.0.0.1:${this.port}`, `http://127.0.0.1:${this.port}`].some((at) => e.blockedURI.startsWith(at))) this.seen = true;
  };

  constructor(private readonly port: number) {
    document.addEventListener('securitypolicyviolation', this.listen);
  }

  stop(): void {
    document.removeEventListener('securitypolicyviolation', this.listen);
  }
}

class WebSocketTransport implements Transport {
  readonly kind = 'websocket';
  onmessage: (text: string) => void = () => undefined;
  onclose: (reason: Reason) => void = () => undefined;

  constructor(private readonly socket: WebSocket) {
    socket.onerror = null;
    socket.onmessage = (e: MessageEvent<unknown>) => {
      if (typeof e.data === 'string') this.onmessage(e.data);
    };
    socket.onclose = () => this.onclose({ code: 'agent_lost' });
  }

  send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  sendBinary(message: Blob): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  close(): void {
    this.onclose = () => undefined;
    this.socket.close(1000);
  }
}
