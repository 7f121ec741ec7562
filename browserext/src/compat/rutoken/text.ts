// SPDX-License-Identifier: GPL-3.0-or-later
import { unwrap, wrap } from '../base64.js';
import { hex, unhex } from '../der.js';
import { keyPeriod, keyUsage, policies, purposes, type Name, type X509 } from '../x509.js';
import { RutokenError } from './errors.js';

/** Bytes as this plug-in writes them: two digits each, with colons. */
export function colons(bytes: Uint8Array): string {
  return hex(bytes).toLowerCase().replace(/..(?=.)/g, '$&:');
}

export function unhexed(v: unknown): Uint8Array<ArrayBuffer> {
  const bytes = unhex(String(v).replace(/[\s:]/g, ''));
  if (!bytes?.length) throw new RutokenError('DATA_INVALID');
  return bytes;
}

/** Base64 of a page, in any form of it. */
export function unbase64(v: unknown): Uint8Array<ArrayBuffer> {
  try {
    return unwrap(v);
  } catch {
    throw new RutokenError('BASE64_DECODE_FAILED');
  }
}

export function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${wrap(der, '\n')}-----END CERTIFICATE-----\n`;
}

/** Names of attributes as this plug-in's pages know them. */
const RDN: Record<string, string> = {
  '2.5.4.3': 'commonName', '2.5.4.4': 'surname', '2.5.4.5': 'serialNumber', '2.5.4.6': 'countryName', '2.5.4.7': 'localityName', '2.5.4.8': 'stateOrProvinceName',
  '2.5.4.9': 'streetAddress', '2.5.4.10': 'organizationName', '2.5.4.11': 'organizationalUnitName', '2.5.4.12': 'title', '2.5.4.17': 'postalCode',
  '2.5.4.42': 'givenName', '2.5.4.43': 'initials', '1.2.840.113549.1.9.1': 'emailAddress',
  '1.2.643.100.1': 'OGRN', '1.2.643.100.3': 'SNILS', '1.2.643.100.4': 'INNLE', '1.2.643.100.5': 'OGRNIP', '1.2.643.3.131.1.1': 'INN',
};

const PURPOSES: Record<string, string> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth', '1.3.6.1.5.5.7.3.2': 'clientAuth', '1.3.6.1.5.5.7.3.3': 'codeSigning', '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
};

const USAGES: [bit: number, name: string][] = [
  [0x80, 'digitalSignature'], [0x40, 'nonRepudiation'], [0x20, 'keyEncipherment'], [0x10, 'dataEncipherment'], [0x08, 'keyAgreement'],
  [0x04, 'keyCertSign'], [0x02, 'cRLSign'], [0x01, 'encipherOnly'], [0x8000, 'decipherOnly'],
];

function rdns(n: Name): { rdn: string; value: string }[] {
  return n.flat().map((a) => ({ rdn: RDN[a.oid] ?? a.oid, value: a.text ?? colons(a.der) }));
}

const line = (n: Name): string => rdns(n).map(({ rdn, value }) => `${rdn}=${value}`).join(', ');

const KEYS: Record<string, string> = {
  '1.2.643.7.1.1.1.1': 'GOST R 34.10-2012 with 256 bit modulus', '1.2.643.7.1.1.1.2': 'GOST R 34.10-2012 with 512 bit modulus',
  '1.2.643.2.2.19': 'GOST R 34.10-2001', '1.2.840.113549.1.1.1': 'rsaEncryption', '1.2.840.10045.2.1': 'id-ecPublicKey',
};

/** A certificate taken apart, and as text of the kind OpenSSL prints, in which pages search. */
export function parsed(c: X509): object {
  const bits = keyUsage(c) ?? 0;
  const { from, to } = keyPeriod(c);
  const seconds = (d: Date): string => d.toISOString().replace('.000Z', 'Z');
  const serial = colons(unhexed(c.serial));
  return {
    subject: rdns(c.subject), issuer: rdns(c.issuer), serialNumber: serial, validNotBefore: seconds(c.notBefore), validNotAfter: seconds(c.notAfter),
    extensions: {
      keyUsage: USAGES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name), extKeyUsage: purposes(c).map((oid) => PURPOSES[oid] ?? oid),
      certificatePolicies: policies(c), ...(from && to && { privateKeyUsagePeriod: { notBefore: seconds(from), notAfter: seconds(to) } }),
    },
    text: [
      'Certificate:', '    Data:', `        Version: ${c.version} (0x${c.version - 1})`, `        Serial Number: ${serial}`, `        Issuer: ${line(c.issuer)}`,
      '        Validity', `            Not Before: ${c.notBefore.toUTCString()}`, `            Not After : ${c.notAfter.toUTCString()}`,
      `        Subject: ${line(c.subject)}`, '        Subject Public Key Info:',
      `            Public Key Algorithm: ${KEYS[c.key.algorithm] ?? c.key.algorithm}`, '',
    ].join('\n'),
  };
}
