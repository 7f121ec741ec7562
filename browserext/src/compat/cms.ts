// SPDX-License-Identifier: GPL-3.0-or-later
import { context, inside, octets, oid, read, SEQUENCE } from './der.js';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** What a face reads of a CMS signature by itself, to show it: it judges nothing. */
export interface SignedMessage {
  certificates: Uint8Array[];
  /** The document, when it is inside. */
  content: Uint8Array<ArrayBuffer> | undefined;
}

/** Reads a signature; undefined when it is none. */
export function readSigned(bytes: Uint8Array): SignedMessage | undefined {
  try {
    const [type, wrapped] = inside(read(bytes));
    const data = inside(wrapped)[0];
    if (oid(type) !== SIGNED_DATA || data?.tag !== SEQUENCE) return undefined;
    const parts = inside(data);
    const inner = inside(inside(parts[2])[1])[0];
    const certificates = inside(parts.find((p) => p.tag === context(0))).filter((c) => c.tag === SEQUENCE);
    return { certificates: certificates.map((c) => c.whole), content: inner && join(octets(inner)) };
  } catch {
    return undefined;
  }
}

function join(pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of pieces) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}
