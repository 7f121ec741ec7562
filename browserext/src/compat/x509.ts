// SPDX-License-Identifier: GPL-3.0-or-later
import { context, hex, inside, octets, oid, read, SEQUENCE, text, time, type Node } from './der.js';

/** One attribute of a name. */
export interface Attribute {
  oid: string;
  /** Undefined when the value is no string. */
  text: string | undefined;
  der: Uint8Array;
}

/** A distinguished name: sets of attributes in the order of the certificate. */
export type Name = Attribute[][];

/** What pages ask about a certificate. Nothing here is checked; that is the agent's work. */
export interface X509 {
  der: Uint8Array<ArrayBuffer>;
  version: number;
  /** Upper hex. */
  serial: string;
  issuer: Name;
  subject: Name;
  notBefore: Date;
  notAfter: Date;
  key: PublicKey;
  extensions: Extension[];
}

export interface PublicKey {
  algorithm: string;
  parameters: Uint8Array;
  value: Uint8Array;
  /** In bits. */
  length: number;
}

export interface Extension {
  oid: string;
  critical: boolean;
  value: Uint8Array;
}

const RSA = '1.2.840.113549.1.1.1';

/** Reads a certificate. Throws when it is none. */
export function parse(der: Uint8Array): X509 {
  const whole = read(der);
  if (whole.tag !== SEQUENCE) throw new Error('certificate');
  const tbs = inside(inside(whole)[0]);
  const versioned = tbs[0]?.tag === context(0);
  const [serial, , issuer, validity, subject, spki] = versioned ? tbs.slice(1) : tbs;
  if (!spki) throw new Error('certificate');
  const [notBefore, notAfter] = inside(validity);
  const extensions = tbs.find((n) => n.tag === context(3));
  return {
    der: new Uint8Array(whole.whole),
    version: versioned ? (inside(tbs[0])[0]?.value[0] ?? 0) + 1 : 1,
    serial: hex(serial?.value ?? new Uint8Array(0)).replace(/^(00)+(?=..)/, ''),
    issuer: name(issuer),
    subject: name(subject),
    notBefore: time(notBefore),
    notAfter: time(notAfter),
    key: publicKey(spki),
    extensions: inside(inside(extensions)[0]).map(extension),
  };
}

function name(n: Node | undefined): Name {
  return inside(n).map((set) => inside(set).map((pair) => {
    const [type, value] = inside(pair);
    if (!value) throw new Error('name');
    return { oid: oid(type), text: text(value), der: value.whole };
  }));
}

function publicKey(spki: Node): PublicKey {
  const [algorithm, bits] = inside(spki);
  const [type, parameters] = inside(algorithm);
  const value = bits?.value.subarray(1) ?? new Uint8Array(0);
  return { algorithm: oid(type), parameters: parameters?.whole ?? new Uint8Array(0), value, length: length(oid(type), value) };
}

/** The length people name a key by: of the modulus, or of a coordinate. */
function length(algorithm: string, value: Uint8Array): number {
  if (algorithm === RSA) return bits(inside(read(value))[0]?.value);
  if (value[0] === 0x04 && value.length % 2 === 1) return ((value.length - 1) / 2) * 8; // a point as X9.62 writes it
  const gost = value[0] === 0x04 ? read(value).value : value;
  return (gost.length / 2) * 8;
}

function bits(integer: Uint8Array | undefined): number {
  if (!integer) return 0;
  return (integer.length - (integer[0] === 0 ? 1 : 0)) * 8;
}

function extension(n: Node): Extension {
  const parts = inside(n);
  const value = parts.at(-1);
  if (!value) throw new Error('extension');
  return { oid: oid(parts[0]), critical: parts[1]?.tag === 0x01 && parts[1].value[0] !== 0, value: octets(value)[0] ?? new Uint8Array(0) };
}

const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const KEY_PERIOD = '2.5.29.16';
const POLICIES = '2.5.29.32';

/** The value of an extension, read; undefined when the certificate has none. */
export function find(c: X509, type: string): Node | undefined {
  const found = c.extensions.find((e) => e.oid === type);
  return found && read(found.value);
}

/** The extended key usages. */
export function purposes(c: X509): string[] {
  return inside(find(c, EXTENDED_KEY_USAGE)).map(oid);
}

export function policies(c: X509): string[] {
  return inside(find(c, POLICIES)).map((p) => oid(inside(p)[0]));
}

/** The key usage bits, the first of RFC 5280 as 0x80 and decipherOnly as 0x8000; undefined when the certificate does not say. */
export function keyUsage(c: X509): number | undefined {
  const n = find(c, KEY_USAGE);
  if (!n) return undefined;
  return (n.value[1] ?? 0) | ((n.value[2] ?? 0) << 8);
}

/** Whether it is a CA, and how many more CAs may follow. */
export function basicConstraints(c: X509): { present: boolean; ca: boolean; path: number | undefined } {
  const n = find(c, BASIC_CONSTRAINTS);
  const parts = inside(n);
  const ca = parts[0]?.tag === 0x01 && parts[0].value[0] !== 0;
  const path = parts.find((p) => p.tag === 0x02)?.value.at(-1);
  return { present: n !== undefined, ca, path };
}

/** The period of the private key, as far as the certificate says. */
export function keyPeriod(c: X509): { from: Date | undefined; to: Date | undefined } {
  const parts = inside(find(c, KEY_PERIOD));
  const at = (tag: number): Date | undefined => {
    const n = parts.find((p) => p.tag === tag);
    return n && time({ ...n, tag: 0x18 });
  };
  return { from: at(0x80), to: at(0x81) };
}
