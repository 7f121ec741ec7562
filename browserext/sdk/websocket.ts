// SPDX-License-Identifier: MIT
import { PerstenError, type Lang } from './errors.js';
import { abortable, type Transport } from './transport.js';
import type { Reason } from './wire.js';

/** The agent's port and subprotocol. The address is the literal one: `localhost` may resolve to somebody else's ::1. */
export const PORT = 24117;
export const SUBPROTOCOL = 'persten.v1';
const HANDSHAKE = 5_000;
/** While the browser asks the person, the connection waits for the answer. */
const ASKING = 120_000;

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

/** Whether anything answers on the agent's port. The answer itself stays unreadable to the page. */
export async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/health`, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(HANDSHAKE) });
    return true;
  } catch {
    return false;
  }
}

export interface WebSocketOptions {
  port: number;
  lang: Lang;
  clicked: boolean;
  signal?: AbortSignal | undefined;
}

/** Opens the WebSocket, or finds out why it cannot be opened. */
export async function openWebSocket(o: WebSocketOptions): Promise<Transport> {
  const state = await loopbackState();
  if (state === 'denied') throw new PerstenError({ code: 'browser_permission' }, o.lang);
  if (state === 'prompt' && !o.clicked) throw new PerstenError({ code: 'browser_permission_needed' }, o.lang);
  const refusals = new PolicyWatch(o.port);
  try {
    return await dial(o, state === 'prompt' ? ASKING : HANDSHAKE);
  } catch (cause) {
    if (o.signal?.aborted) throw cause;
    throw new PerstenError(refusals.seen ? { code: 'page_policy' } : await diagnose(o.port), o.lang);
  } finally {
    refusals.stop();
  }
}

async function diagnose(port: number): Promise<Reason> {
  const state = await loopbackState();
  if (state === 'denied' || state === 'prompt') return { code: 'browser_permission', args: { state } };
  if (!(await answers(port))) return { code: 'agent_not_running' };
  return { code: 'origin_not_allowed', args: { origin: location.origin } };
}

async function dial(o: WebSocketOptions, within: number): Promise<Transport> {
  const socket = new WebSocket(`ws://127.0.0.1:${o.port}`, SUBPROTOCOL);
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

/** Notices when the page's own Content-Security-Policy refused the agent's address. */
class PolicyWatch {
  seen = false;
  private readonly listen = (e: SecurityPolicyViolationEvent): void => {
    if (e.blockedURI.startsWith(`ws://127.0.0.1:${this.port}`)) this.seen = true;
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
