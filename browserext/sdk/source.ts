// SPDX-License-Identifier: MIT
import { abortable } from './transport.js';

/** Anything that can be signed. A string is signed as its UTF-8 bytes; a stream is read to its end, once. */
export type Data = Blob | ReadableStream<Uint8Array> | ArrayBuffer | ArrayBufferView | string;

/** Data as a sequence of pieces, whatever its size and whether that is known or not. */
export class Source {
  /** Media type, when the data itself knows one. */
  readonly type: string;
  /** Bytes, when known before they are read. */
  readonly total: number | undefined;
  private counted = 0;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private rest = new Uint8Array(0);

  constructor(data: Data) {
    if (data instanceof ReadableStream) {
      this.type = '';
      this.reader = data.getReader();
      return;
    }
    const blob = data instanceof Blob ? data : new Blob([data as BlobPart]);
    this.type = blob.type;
    this.total = blob.size;
    this.reader = blob.stream().getReader(); // several times faster than slices, which are asked for one by one
  }

  /** Bytes read so far, or of the whole where that is known. */
  get size(): number {
    return this.total ?? this.counted;
  }

  /**
   * The data in pieces of length bytes, the last one shorter, each after room bytes that are free for a header. While a piece
   * is used the next one is read.
   */
  async *pieces(length: number, room: number, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
    let next = this.read(length, room);
    for (;;) {
      const piece = await abortable(next, signal, () => this.cancel(signal?.reason));
      if (piece.length === room) return;
      next = piece.length < room + length ? Promise.resolve(new Uint8Array(room)) : this.read(length, room);
      next.catch(() => undefined); // it is met when its turn comes
      yield piece;
    }
  }

  /** Lets go of a stream that is not read to its end. */
  cancel(reason?: unknown): void {
    this.reader.cancel(reason).catch(() => undefined);
  }

  private async read(length: number, room: number): Promise<Uint8Array<ArrayBuffer>> {
    const piece = new Uint8Array(room + length);
    let filled = room;
    while (filled < piece.length) {
      if (this.rest.length === 0) {
        const { done, value } = await this.reader.read();
        if (done) break;
        if (!(value instanceof Uint8Array)) throw new TypeError('a stream of Uint8Array is needed');
        this.rest = value as Uint8Array<ArrayBuffer>;
      }
      const part = this.rest.subarray(0, piece.length - filled);
      piece.set(part, filled);
      filled += part.length;
      this.rest = this.rest.subarray(part.length);
    }
    this.counted += filled - room;
    return piece.subarray(0, filled);
  }
}
