// SPDX-License-Identifier: GPL-3.0-or-later
import { hex } from '../der.js';
import type { Attribute, Name } from '../x509.js';

/** The short names portals' parsers know attributes by. */
const SHORT: Record<string, string> = {
  '2.5.4.3': 'CN', '2.5.4.4': 'SN', '2.5.4.5': 'SERIALNUMBER', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'S', '2.5.4.9': 'STREET',
  '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.12': 'T', '2.5.4.13': 'Description', '2.5.4.17': 'PostalCode', '2.5.4.20': 'Phone',
  '2.5.4.42': 'G', '2.5.4.43': 'I', '1.2.840.113549.1.9.1': 'E', '1.2.840.113549.1.9.2': 'UnstructuredName',
  '0.9.2342.19200300.100.1.25': 'DC', '0.9.2342.19200300.100.1.1': 'UID',
  '1.2.643.100.1': 'ОГРН', '1.2.643.100.3': 'СНИЛС', '1.2.643.100.4': 'ИНН ЮЛ', '1.2.643.100.5': 'ОГРНИП', '1.2.643.3.131.1.1': 'ИНН',
};

/** A name as one line: the last attribute of the certificate first, values with special characters in quotes. */
export function x500(n: Name): string {
  return [...n].reverse().map((set) => set.map(pair).join(' + ')).join(', ');
}

function pair(a: Attribute): string {
  return `${SHORT[a.oid] ?? `OID.${a.oid}`}=${a.text === undefined ? `#${hex(a.der)}` : quoted(a.text)}`;
}

function quoted(s: string): string {
  return s === '' || /[,+="\r\n<>#;]|^\s|\s$/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}

export const EMAIL = '1.2.840.113549.1.9.1';

/** The first value of an attribute; empty when the name has none. */
export function first(n: Name, type: string): string {
  return n.flat().find((a) => a.oid === type)?.text ?? '';
}

/** What CAPICOM calls the simple name. */
export function simple(n: Name): string {
  return ['2.5.4.3', '2.5.4.11', '2.5.4.10', EMAIL].map((type) => first(n, type)).find((text) => text !== '') ?? '';
}
