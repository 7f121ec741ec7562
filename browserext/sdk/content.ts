// SPDX-License-Identifier: MIT
import type { Content } from '../src/proto.gen.js';
import type { CallOptions, Connection, Params } from './rpc.js';

/** Anything that can be signed. A string is signed as its UTF-8 bytes. */
export type Data = Blob | ArrayBuffer | Uint8Array | string;

const INLINE = 256 * 1024;
const PIECE = 512 * 1024;

export interface Described {
  name: string;
  mime?: string | undefined;
}

/** Turns data into a Blob, which can be read in pieces whatever its size. */
export function toBlob(data: Data): Blob {
  if (data instanceof Blob) return data;
  return new Blob([data as BlobPart]);
}

/**
 * Hands content to the agent and runs use with it. Large content is sent in pieces and dropped again when use has ended,
 * whichever way.
 */
export async function withContent<T>(
  c: Connection, blob: Blob, d: Described, o: CallOptions, use: (content: Content) => Promise<T>,
): Promise<T> {
  if (blob.size <= INLINE) return use({ inline: toBase64(await bytesOf(blob)) });
  const handle = await open(c, blob, d, o);
  try {
    for (let at = 0; at < blob.size; at += PIECE) {
      const data = toBase64(await bytesOf(blob.slice(at, at + PIECE)));
      await c.call('content.append', { handle, data }, { signal: o.signal });
    }
    await c.call('content.close', { handle }, { signal: o.signal });
    return await use({ handle });
  } finally {
    drop(c, handle);
  }
}

async function open(c: Connection, blob: Blob, d: Described, o: CallOptions): Promise<string> {
  const params: Params<'content.open'> = { name: d.name, size: blob.size };
  if (d.mime) params.mime = d.mime;
  return (await c.call('content.open', params, { signal: o.signal })).handle;
}

/** Reads content the agent returned, and drops it there. */
export async function readContent(c: Connection, content: Content, o: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
  if (content.inline !== undefined) return fromBase64(content.inline);
  const { handle } = content;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  try {
    for (let eof = false; !eof; ) {
      const r = await c.call('content.read', { handle, offset, length: PIECE }, { signal: o.signal });
      const piece = fromBase64(r.data);
      pieces.push(piece);
      offset += piece.length;
      eof = r.eof || piece.length === 0;
    }
  } finally {
    drop(c, handle);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** Tells the agent that content is no longer needed. It forgets by itself when the connection ends, so a failure is no news. */
function drop(c: Connection, handle: string): void {
  c.call('content.drop', { handle }).catch(() => undefined);
}

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
