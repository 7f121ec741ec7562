// SPDX-License-Identifier: GPL-3.0-or-later
// The form in which Chromium and its family install an extension from a server of one's own: CRX3, a zip behind a header that
// signs it (components/crx_file/crx3.proto of Chromium). The extension's id is the fingerprint of the key.
import { createHash, createPublicKey, sign } from 'node:crypto';

const RSA_PROOF = 2; // CrxFileHeader.sha256_with_rsa
const SIGNED_DATA = 10000; // CrxFileHeader.signed_header_data

/** A zip as a CRX3, signed with an RSA key. */
export function crx3(zip, key) {
  const signed = bytes(1, fingerprint(key)); // SignedData.crx_id
  const signature = sign('sha256', Buffer.concat([Buffer.from('CRX3 SignedData\0'), uint32(signed.length), signed, zip]), key);
  const proof = Buffer.concat([bytes(1, spki(key)), bytes(2, signature)]);
  const header = Buffer.concat([bytes(RSA_PROOF, proof), bytes(SIGNED_DATA, signed)]);
  return Buffer.concat([Buffer.from('Cr24'), uint32(3), uint32(header.length), header, zip]);
}

/** The id of the extensions that a key signs: its fingerprint in the letters a to p. */
export const idOf = (key) => [...fingerprint(key).toString('hex')].map((d) => String.fromCharCode(97 + parseInt(d, 16))).join('');

/** The public key as manifests have it. */
export const publicKeyOf = (key) => spki(key).toString('base64');

const fingerprint = (key) => createHash('sha256').update(spki(key)).digest().subarray(0, 16);

function spki(key) {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength } } = key;
  if (type !== 'rsa' || modulusLength < 2048) throw new Error('the key of an extension is RSA of 2048 bits or more');
  return (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
}

/** A field of bytes of a protocol buffer. */
const bytes = (field, content) => Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);

function varint(n) {
  const out = [];
  for (; n > 0x7f; n >>>= 7) out.push((n & 0x7f) | 0x80);
  return Buffer.from([...out, n]);
}

function uint32(n) {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return b;
}
