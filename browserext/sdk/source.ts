// SPDX-License-Identifier: MIT
import { abortable } from './transport.js';

/**
 * Anything that can be signed. Text is signed as its UTF-8 bytes and says so: a bare string might as well be base64. A stream is
 * read to its end, once.
 */
export type Data = Blob | ReadableStream<Uint8Array> | ArrayBuffer | ArrayBufferView | { readonly text: string };

/** What of it goes into one message. */
export type Part = Blob | Uint8Array<ArrayBuffer>;

/** Data as a sequence of pieces, whatever its size and whether that is known or not. */
export class Source {
  private static distrusted = false;
  /** Media type, when the data itself knows one. */
  readonly type: string;
  /** Bytes, when known before they are read. */
  readonly total: number | undefined;
  private counted = 0;
  private readonly blob: Blob | undefined;
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Read, but not asked for yet. */
  private readonly waiting: Uint8Array<ArrayBuffer>[] = [];

  constructor(data: Data) {
    if (data instanceof ReadableStream) {
      this.type = '';
      this.reader = data.getReader();
      return;
    }
    this.blob = data instanceof Blob ? data : new Blob([part(data)]);
    this.type = this.blob.type;
    this.total = this.blob.size;
  }

  /** Bytes read so far, or of the whole where that is known. */
  get size(): number {
    return this.total ?? this.counted;
  }

  /** All bytes if there are no more than limit; else undefined, and pieces and parts begin at the first one. */
  async small(limit: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.total !== undefined && this.total > limit) return undefined;
    const all = await abortable(this.read(limit + 1), signal, () => this.cancel(signal?.reason));
    if (all.length <= limit) return all;
    this.waiting.unshift(all);
    this.counted = 0;
    return undefined;
  }

  /** The data in pieces of length bytes, the last one shorter. While a piece is used the next one is read. */
  async *pieces(length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
    let next = this.read(length);
    for (;;) {
      const piece = await abortable(next, signal, () => this.cancel(signal?.reason));
      if (piece.length === 0) return;
      next = piece.length < length ? Promise.resolve(new Uint8Array(0)) : this.read(length);
      next.catch(() => undefined); // it is met when its turn comes
      yield piece;
    }
  }

  /** The data for binary messages: parts of a File are not read here but on their way. */
  async *parts(length: number, signal?: AbortSignal): AsyncGenerator<Part, undefined> {
    if (!(this.blob instanceof File) || Source.distrusted) return yield* this.pieces(length, signal);
    for (let at = 0; at < this.blob.size; at += length) yield this.blob.slice(at, at + length);
  }

  /**
   * The connection ended while parts were on their way, as it does when a File cannot be read. Rejects if it cannot: it changed
   * or is gone. If it can, it may be one that is made of bytes, of which Chromium loses parts from some hundred MB on: the next
   * ones are read here.
   */
  async distrust(): Promise<void> {
    if (!(this.blob instanceof File)) return;
    Source.distrusted = true;
    await this.blob.slice(0, 1).arrayBuffer();
  }

  /** Lets go of a stream that is not read to its end. */
  cancel(reason?: unknown): void {
    this.reader?.cancel(reason).catch(() => undefined);
  }

  private async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const piece = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const chunk = this.waiting.shift() ?? (await this.chunk());
      if (!chunk) break;
      const part = chunk.subarray(0, length - filled);
      piece.set(part, filled);
      filled += part.length;
      if (part.length < chunk.length) this.waiting.unshift(chunk.subarray(part.length));
    }
    this.counted += filled;
    return piece.subarray(0, filled);
  }

  private async chunk(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.reader ??= (this.blob as Blob).stream().getReader(); // several times faster than slices, which are asked for one by one
    const { done, value } = await this.reader.read();
    if (done) return undefined;
    if (!(value instanceof Uint8Array)) throw new TypeError('a stream of Uint8Array is needed');
    return value as Uint8Array<ArrayBuffer>;
  }
}

function part(data: Exclude<Data, Blob | ReadableStream>): BlobPart {
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data as BlobPart;
  if (typeof data === 'object' && data !== null && typeof data.text === 'string') return data.text;
  throw new TypeError('bytes, a Blob, a ReadableStream or {text} is needed; a string goes as {text: string}, which is signed as UTF-8');
}
