// SPDX-License-Identifier: GPL-3.0-or-later

/** One element of DER or BER. */
export interface Node {
  tag: number;
  /** Without tag and length. */
  value: Uint8Array;
  whole: Uint8Array;
}

export const SEQUENCE = 0x30;
/** Context-specific and constructed. */
export const context = (n: number): number => 0xa0 + n;

/** Elements nested without a length, which only BER has, may go so deep. */
const DEPTH = 32;

/** Reads the element that begins at an offset. Throws when there is none. */
export function read(bytes: Uint8Array, at = 0, depth = 0): Node {
  const tag = byte(bytes, at);
  if ((tag & 0x1f) === 0x1f) throw new Error('long tag');
  const first = byte(bytes, at + 1);
  let begin = at + 2;
  let length = first;
  if (first === 0x80) return unbounded(bytes, at, tag, depth);
  if (first > 0x80) {
    length = 0;
    for (const last = begin + (first & 0x7f); begin < last; begin++) length = length * 256 + byte(bytes, begin);
  }
  if (begin + length > bytes.length) throw new Error('short');
  return { tag, value: bytes.subarray(begin, begin + length), whole: bytes.subarray(at, begin + length) };
}

function unbounded(bytes: Uint8Array, at: number, tag: number, depth: number): Node {
  if (depth >= DEPTH) throw new Error('too deep');
  let end = at + 2;
  while (byte(bytes, end) !== 0 || byte(bytes, end + 1) !== 0) end += read(bytes, end, depth + 1).whole.length;
  return { tag, value: bytes.subarray(at + 2, end), whole: bytes.subarray(at, end + 2) };
}

function byte(bytes: Uint8Array, at: number): number {
  const b = bytes[at];
  if (b === undefined) throw new Error('short');
  return b;
}

/** The elements inside one. */
export function inside(n: Node | undefined): Node[] {
  const nodes: Node[] = [];
  const bytes = n?.value ?? new Uint8Array(0);
  for (let at = 0; at < bytes.length; ) {
    const one = read(bytes, at);
    nodes.push(one);
    at += one.whole.length;
  }
  return nodes;
}

/** Octets of an OCTET STRING, also one in pieces. */
export function octets(n: Node): Uint8Array[] {
  return (n.tag & 0x20) === 0 ? [n.value] : inside(n).flatMap(octets);
}

export function oid(n: Node | undefined): string {
  const parts: number[] = [];
  let v = 0;
  for (const b of n?.value ?? []) {
    v = v * 128 + (b & 0x7f);
    if (b < 0x80) {
      parts.push(v);
      v = 0;
    }
  }
  const first = parts.shift() ?? 0;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - top * 40, ...parts].join('.');
}

/** Text of any of the string types; undefined when it is none. */
export function text(n: Node): string | undefined {
  const labels: Record<number, string> = { 0x0c: 'utf-8', 0x12: 'latin1', 0x13: 'latin1', 0x14: 'latin1', 0x16: 'latin1', 0x1a: 'latin1', 0x1e: 'utf-16be' };
  const label = labels[n.tag];
  return label && new TextDecoder(label).decode(n.value);
}

/** UTCTime and GeneralizedTime. */
export function time(n: Node | undefined): Date {
  let s = String.fromCharCode(...(n?.value ?? []));
  if (n?.tag === 0x17) s = (s < '5' ? '20' : '19') + s;
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?/.exec(s);
  if (!m) throw new Error('time');
  const [year, month, day, hour, minute, second] = m.slice(1).map((d) => Number(d ?? 0)) as [number, number, number, number, number, number];
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('').toUpperCase();
}

export function unhex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^([0-9a-f]{2})*$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (d) => parseInt(d, 16));
}
