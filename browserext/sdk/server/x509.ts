// SPDX-License-Identifier: MIT

/** What a server reads of a certificate by itself. It says nothing about who issued it. */
export interface LoginCertificate {
  der: Uint8Array<ArrayBuffer>;
  /** SubjectPublicKeyInfo. */
  spki: Uint8Array<ArrayBuffer>;
  notBefore: Date;
  notAfter: Date;
  /** Parts of the subject, by the names below or by their OID; the first of several of one kind. */
  subject: Record<string, string>;
  /** Serial number in lower hex. */
  serial: string;
  /** Its keyUsage has digitalSignature, and its extendedKeyUsage clientAuth, as far as it has these extensions. */
  login: boolean;
}

const NAMES: Record<string, string> = {
  '2.5.4.3': 'commonName', '2.5.4.4': 'surname', '2.5.4.42': 'givenName', '2.5.4.5': 'serialNumber', '2.5.4.6': 'country',
  '2.5.4.10': 'organization', '2.5.4.11': 'organizationalUnit', '2.5.4.12': 'title', '1.2.840.113549.1.9.1': 'email',
  '1.2.643.3.131.1.1': 'inn', '1.2.643.100.4': 'innle', '1.2.643.100.3': 'snils', '1.2.643.100.1': 'ogrn', '1.2.643.100.5': 'ogrnip',
};

const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';
const DIGITAL_SIGNATURE = 0x80;

interface Node {
  tag: number;
  value: Uint8Array<ArrayBuffer>;
  whole: Uint8Array<ArrayBuffer>;
}

/** Reads a certificate (RFC 5280 section 4.1). Throws when it is none. */
export function parseCertificate(der: Uint8Array<ArrayBuffer>): LoginCertificate {
  const outer = read(der, 0);
  if (outer.whole.length !== der.length) throw new Error('trailing data');
  const fields = inside(at(inside(outer, 0x30), 0), 0x30);
  const first = at(fields, 0).tag === 0xa0 ? 1 : 0; // the version
  const [serial, , , validity, subject, spki] = fields.slice(first);
  const [begin, end] = inside(validity, 0x30);
  const extensions = fields.find((f) => f.tag === 0xa3);
  return {
    der, spki: need(spki).whole, notBefore: time(begin), notAfter: time(end), subject: names(subject),
    serial: Array.from(need(serial).value, (b) => b.toString(16).padStart(2, '0')).join(''),
    login: extensions === undefined || mayLogIn(inside(at(inside(extensions, 0xa3), 0), 0x30)),
  };
}

function mayLogIn(extensions: Node[]): boolean {
  for (const e of extensions) {
    const parts = inside(e, 0x30);
    const value = read(need(parts[parts.length - 1]).value, 0);
    const id = oid(parts[0]);
    if (id === KEY_USAGE && ((value.value[1] ?? 0) & DIGITAL_SIGNATURE) === 0) return false;
    if (id === EXTENDED_KEY_USAGE && !inside(value, 0x30).some((p) => [CLIENT_AUTH, ANY_PURPOSE].includes(oid(p)))) return false;
  }
  return true;
}

function names(subject: Node | undefined): Record<string, string> {
  const found: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const set of inside(subject, 0x30)) {
    for (const pair of inside(set, 0x31)) {
      const [type, value] = inside(pair, 0x30);
      const id = oid(type);
      found[NAMES[id] ?? id] ??= string(value);
    }
  }
  return found;
}

function string(n: Node | undefined): string {
  const encodings: Record<number, string> = { 0x0c: 'utf-8', 0x1e: 'utf-16be' };
  const { tag, value } = need(n);
  return new TextDecoder(encodings[tag] ?? 'latin1').decode(value);
}

function time(n: Node | undefined): Date {
  const text = string(n);
  const m = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const [, year = '', ...rest] = m ?? [];
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number);
  if (!m || (year.length === 2) !== (n?.tag === 0x17)) throw new Error('not a time');
  const century = year.length === 4 ? 0 : Number(year) < 50 ? 2000 : 1900;
  return new Date(Date.UTC(century + Number(year), month - 1, day, hour, minute, second));
}

function oid(n: Node | undefined): string {
  const { tag, value } = need(n);
  if (tag !== 0x06 || value.length === 0) throw new Error('not an OID');
  const arcs: number[] = [];
  let arc = 0;
  for (const b of value) {
    arc = arc * 128 + (b & 0x7f);
    if (b >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** One element of DER: tags of one octet, lengths of at most three. */
function read(bytes: Uint8Array<ArrayBuffer>, offset: number): Node {
  const octet = (i: number): number => {
    const b = bytes[i];
    if (b === undefined) throw new Error('DER is cut short');
    return b;
  };
  const tag = octet(offset);
  let length = octet(offset + 1);
  let begin = offset + 2;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 3) throw new Error('not DER');
    length = 0;
    for (const end = begin + octets; begin < end; begin++) length = length * 256 + octet(begin);
  }
  if (begin + length > bytes.length) throw new Error('DER is cut short');
  return { tag, value: bytes.slice(begin, begin + length), whole: bytes.slice(offset, begin + length) };
}

/** The elements inside one that must have the tag. */
function inside(n: Node | undefined, tag: number): Node[] {
  const { value, tag: found } = need(n);
  if (found !== tag) throw new Error('not a certificate');
  const nodes: Node[] = [];
  for (let offset = 0; offset < value.length; ) {
    const one = read(value, offset);
    nodes.push(one);
    offset += one.whole.length;
  }
  return nodes;
}

function at(nodes: Node[], index: number): Node {
  return need(nodes[index]);
}

function need(n: Node | undefined): Node {
  if (!n) throw new Error('not a certificate');
  return n;
}
