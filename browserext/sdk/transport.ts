// SPDX-License-Identifier: MIT
import type { Reason } from './wire.js';

/** A way to the agent: one JSON text per message, in order, until it closes. */
export interface Transport {
  readonly kind: 'extension' | 'websocket';
  /** Called with each JSON text that arrives. */
  onmessage: (text: string) => void;
  /** Called once when the way ends, unless close was called. */
  onclose: (reason: Reason) => void;
  send(text: string): void;
  /** Sends bytes; there where the way carries them. */
  sendBinary?(message: Blob): void;
  close(): void;
}

/** Rejects when signal aborts, and stops listening when work settles. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, onAbort: () => void): Promise<T> {
  if (!signal) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => {
      onAbort();
      reject(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    stop = () => signal.removeEventListener('abort', abort);
  });
  return Promise.race([work, aborted]).finally(() => stop());
}

/** Resolves after ms, or rejects when signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return abortable(wait, signal, () => clearTimeout(timer));
}
