// SPDX-License-Identifier: GPL-3.0-or-later
import { AGENT, type Reason } from '../sdk/wire.js';

const BACKOFF_FIRST = 250;
const BACKOFF_LAST = 5_000;
/** The native port is kept this long after its last channel, so that a page that reconnects finds it open. */
const LINGER = 10_000;

/** What the link needs of the browser and the clock. */
export interface Browser {
  connectNative(name: string): chrome.runtime.Port;
  lastError(): string | undefined;
  now(): number;
  setTimeout(f: () => void, ms: number): number;
  clearTimeout(timer: number): void;
}

/**
 * The one native port of this browser profile. It is opened when first needed; after a failure it is not opened again before
 * a growing pause is over, and whoever asks in between hears the last reason at once. A port that had spoken is opened again
 * without a pause: its agent may be back already.
 */
export class Link {
  onmessage: (envelope: unknown) => void = () => undefined;
  onlost: (reason: Reason) => void = () => undefined;
  private port: chrome.runtime.Port | undefined;
  private heard = false;
  private failures = 0;
  private notBefore = 0;
  private reason: Reason = { code: 'agent_not_running' };
  private linger: number | undefined;

  constructor(private readonly browser: Browser) {}

  /** Opens the port if need be. Undefined when it is open, else why it is not. */
  open(): Reason | undefined {
    this.keep();
    if (this.port) return undefined;
    if (this.browser.now() < this.notBefore) return this.reason;
    this.heard = false;
    const port = this.browser.connectNative(AGENT);
    this.port = port;
    port.onMessage.addListener((m: unknown) => {
      if (this.port !== port) return;
      this.heard = true;
      this.failures = 0;
      this.onmessage(m);
    });
    port.onDisconnect.addListener(() => this.lost(port));
    return undefined;
  }

  /** Sends an envelope; false when the browser would not take it. */
  send(envelope: object): boolean {
    try {
      this.port?.postMessage(envelope);
      return this.port !== undefined;
    } catch {
      return false;
    }
  }

  /** Nobody needs the port now. */
  release(): void {
    this.keep();
    this.linger = this.browser.setTimeout(() => {
      this.port?.disconnect();
      this.port = undefined;
    }, LINGER);
  }

  private keep(): void {
    if (this.linger !== undefined) this.browser.clearTimeout(this.linger);
    this.linger = undefined;
  }

  private lost(port: chrome.runtime.Port): void {
    const said = nativeError(port) ?? this.browser.lastError();
    if (this.port !== port) return;
    this.port = undefined;
    this.reason = this.heard ? { code: 'agent_lost' } : classify(said);
    const pause = this.heard ? 0 : Math.min(BACKOFF_FIRST * 2 ** this.failures++, BACKOFF_LAST);
    this.notBefore = this.browser.now() + pause;
    this.onlost(this.reason);
    if (this.heard) this.reason = { code: 'agent_not_running' };
  }
}

/** Firefox tells why on the port, Chromium in lastError. */
function nativeError(port: chrome.runtime.Port): string | undefined {
  return (port as chrome.runtime.Port & { error?: { message?: string } | null }).error?.message;
}

/** The browsers' own words, which are all they give. Sources: Chromium native_message_process_host.cc, Firefox NativeMessaging.sys.mjs. */
export function classify(said: string | undefined): Reason {
  const words = said ?? '';
  if (/host not found|No such native application|Failed to start native/i.test(words)) return { code: 'agent_not_installed' };
  if (/forbidden|does not have permission|disallowed|blocked by/i.test(words)) return { code: 'agent_forbidden' };
  return { code: 'agent_not_running' };
}
