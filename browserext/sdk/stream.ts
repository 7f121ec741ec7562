// SPDX-License-Identifier: MIT
import type { PerstenError } from './errors.js';
import type { Connection } from './rpc.js';
import { abortable } from './transport.js';

/** What stands before the bytes of a binary message: the stream's number, and how much of the document is before them. */
export const HEAD = 12;

export interface Stream {
  handle: string;
  stream: number;
  window: number;
}

/**
 * Sends pieces, each with HEAD bytes of room before its data, as binary messages. Never more than the window is under way:
 * that bounds what the browser and the agent keep in memory.
 */
export async function sendStream(
  c: Connection, s: Stream, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>, sent: (bytes: number) => void, signal?: AbortSignal,
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
    for await (const piece of pieces) {
      const size = piece.length - HEAD;
      while (!failure && at + size - received > s.window) {
        const heard = new Promise<void>((resolve) => (wake = resolve));
        await abortable(heard, signal, () => undefined);
      }
      if (failure) throw failure;
      signal?.throwIfAborted();
      c.sendBinary(headed(piece, s.stream, at));
      at += size;
      sent(at);
    }
  } finally {
    stop();
  }
}

function headed(piece: Uint8Array<ArrayBuffer>, stream: number, offset: number): Uint8Array<ArrayBuffer> {
  const head = new DataView(piece.buffer, piece.byteOffset, HEAD);
  head.setUint32(0, stream);
  head.setBigUint64(4, BigInt(offset));
  return piece;
}
