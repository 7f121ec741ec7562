// SPDX-License-Identifier: MIT
import type { PerstenError } from './errors.js';
import type { Connection } from './rpc.js';
import type { Part } from './source.js';
import { abortable } from './transport.js';

/** What stands before the bytes of a binary message: the stream's number, and how much of the document is before them. */
const HEAD = 12;

export interface Stream {
  handle: string;
  stream: number;
  window: number;
}

/**
 * Sends parts of a document as binary messages. Messages are Blobs, which Chromium sends twice as fast as bytes, and four times
 * where it reads a file itself, past the page. Never more than the window is under way: that bounds what the browser and the
 * agent keep in memory.
 */
export async function sendStream(
  c: Connection, s: Stream, parts: AsyncIterable<Part>, sent: (bytes: number) => void, signal?: AbortSignal,
): Promise<void> {
  let at = 0;
  let received = 0;
  let failure: PerstenError | undefined;
  let wake = (): void => undefined;
  const stop = c.watch(s.handle, {
    received: (size) => {
      received = Math.max(received, size);
      wake();
    },
    failed: (e) => {
      failure = e;
      wake();
    },
  });
  try {
    for await (const part of parts) {
      const size = part instanceof Blob ? part.size : part.length;
      while (!failure && at + size - received > s.window) {
        const heard = new Promise<void>((resolve) => (wake = resolve));
        await abortable(heard, signal, () => undefined);
      }
      if (failure) throw failure;
      signal?.throwIfAborted();
      c.sendBinary(new Blob([head(s.stream, at), part]));
      at += size;
      sent(at);
    }
  } finally {
    stop();
  }
}

function head(stream: number, offset: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, stream);
  view.setBigUint64(4, BigInt(offset));
  return bytes;
}
