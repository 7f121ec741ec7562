// SPDX-License-Identifier: MIT
import type { Content } from '../src/proto.gen.js';
import { fromBase64, toBase64 } from './base64.js';
import type { CallOptions, Connection, Params, Result } from './rpc.js';
import { Source, type Data } from './source.js';
import { sendStream } from './stream.js';
import { abortable } from './transport.js';

export { fromBase64, toBase64 };

const INLINE = 256 * 1024;
/** Of a document on its way to the agent. As base64 it stays well below what a message may hold, so that the extension need not measure. */
const PIECE = 500 * 1024;
/** The most a binary message carries: each costs the browser some milliseconds, and the agent takes 4 MiB with what is around it. */
const LARGE = 4000 * 1024;
/** Of a result on its way back. */
const READ = 512 * 1024;
/** Appends under way at a time, where there is no stream. */
const APPENDS = 4;

/** How far a large document has come. */
export interface Transfer {
  stage: 'sending' | 'receiving';
  sent: number;
  /** Undefined when nobody knows, as with a ReadableStream. */
  total: number | undefined;
}

export interface TransferOptions extends CallOptions {
  /** Called for each piece of a document that is too large for one message, and of a large result. */
  onTransfer?: ((t: Transfer) => void) | undefined;
}

export interface Described {
  name: string;
  mime?: string | undefined;
  /** Id of the certificate that will sign: the agent then hashes while it receives. */
  certificate?: string | undefined;
}

/** Makes data readable in pieces. */
export function toSource(data: Data): Source {
  return new Source(data);
}

/**
 * Hands content to the agent and runs use with it. Large content is sent in pieces and dropped again when use has ended,
 * whichever way. Aborting stops at any point and leaves nothing with the agent.
 */
export async function withContent<T>(
  c: Connection, source: Source, d: Described, o: TransferOptions, use: (content: Content) => Promise<T>,
): Promise<T> {
  let handle: string | undefined;
  try {
    return await use(await handOver(c, source, d, o, (h) => (handle = h)));
  } finally {
    if (handle) drop(c, handle);
  }
}

/** Puts content of up to inline bytes into the message itself, and sends more ahead. Whoever calls drops the handle that opened names. */
export async function handOver(
  c: Connection, source: Source, d: Described, o: TransferOptions, opened: (handle: string) => void, inline = INLINE,
): Promise<Content> {
  try {
    const small = await source.small(inline, o.signal);
    if (small) return { inline: toBase64(small) };
    const there = await open(c, source, d, o);
    opened(there.handle);
    await send(c, there, source, o);
    await c.call('content.close', { handle: there.handle }, { signal: o.signal });
    return { handle: there.handle };
  } catch (cause) {
    if (!c.alive) await source.distrust();
    throw cause;
  } finally {
    source.cancel();
  }
}

async function open(c: Connection, source: Source, d: Described, o: CallOptions): Promise<Result<'content.open'>> {
  const params: Params<'content.open'> = { name: d.name };
  if (source.total !== undefined) params.size = source.total;
  if (d.mime) params.mime = d.mime;
  if (d.certificate) params.certificate = d.certificate;
  // Not cancelled but waited for: only its answer tells what to drop.
  const opening = c.call('content.open', params);
  return abortable(opening, o.signal, () => void opening.then((r) => drop(c, r.handle), () => undefined));
}

async function send(c: Connection, opened: Result<'content.open'>, source: Source, o: TransferOptions): Promise<void> {
  const { handle, stream, window } = opened;
  const sent = (bytes: number): void => o.onTransfer?.({ stage: 'sending', sent: bytes, total: source.total });
  if (!stream || !window || window < 2 * PIECE) return append(c, handle, source.pieces(PIECE, o.signal), sent, o);
  const parts = source.parts(Math.min(LARGE, Math.max(PIECE, window >> 2)), o.signal);
  await sendStream(c, { handle, stream, window }, parts, sent, o.signal);
}

/** Sends pieces as messages, a few at a time. */
async function append(
  c: Connection, handle: string, pieces: AsyncIterable<Uint8Array>, sent: (bytes: number) => void, o: CallOptions,
): Promise<void> {
  const under: Promise<unknown>[] = [];
  let size = 0;
  let taken = 0; // answers may come in another order
  for await (const data of pieces) {
    size += data.length;
    const call = c.call('content.append', { handle, data: toBase64(data), size }, { signal: o.signal }).then(() => sent((taken += data.length)));
    call.catch(() => undefined); // it is met when its turn comes
    under.push(call);
    if (under.length === APPENDS) await under.shift();
  }
  for (const u of under) await u;
}

/** Reads content the agent returned, and drops it there. */
export async function readContent(c: Connection, content: Content, o: TransferOptions): Promise<Uint8Array<ArrayBuffer>> {
  if (content.inline !== undefined) return fromBase64(content.inline);
  const { handle } = content;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  try {
    for (let eof = false; !eof; ) {
      const r = await c.call('content.read', { handle, offset, length: READ }, { signal: o.signal });
      const piece = fromBase64(r.data);
      pieces.push(piece);
      offset += piece.length;
      o.onTransfer?.({ stage: 'receiving', sent: offset, total: undefined });
      eof = r.eof || piece.length === 0;
    }
  } finally {
    drop(c, handle);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** Tells the agent that content is no longer needed. It forgets by itself when the connection ends, so a failure is no news. */
export function drop(c: Connection, handle: string): void {
  c.call('content.drop', { handle }).catch(() => undefined);
}
