// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64 } from '../../../sdk/content.js';
import { PerstenError } from '../../../sdk/errors.js';
import type { Certificate, SignatureAlgorithm } from '../../proto.gen.js';
import type { Agent } from '../agent.js';
import { hex, inside, read } from '../der.js';

type Crypto = SignatureAlgorithm['cryptoAlgorithm'];
type Hash = SignatureAlgorithm['hashFunction'];

/** Kinds of key by the beginning of their description, with the hash functions each can use. */
const KINDS: { begins: RegExp; crypto: Crypto; padding: SignatureAlgorithm['paddingScheme']; prefix: string; hashes: Hash[] }[] = [
  { begins: /^RSA/, crypto: 'RSA', padding: 'PKCS1.5', prefix: 'rsa-', hashes: ['SHA-256', 'SHA-384', 'SHA-512'] },
  { begins: /^ECDSA/, crypto: 'ECC', padding: 'NONE', prefix: 'ecdsa-', hashes: ['SHA-256', 'SHA-384', 'SHA-512'] },
  { begins: /2012 256$/, crypto: 'GOST', padding: 'NONE', prefix: '', hashes: ['STREEBOG-256'] },
  { begins: /2012 512$/, crypto: 'GOST', padding: 'NONE', prefix: '', hashes: ['STREEBOG-512'] },
];

/** Octets of r and of s on each curve. */
const CURVES: Record<string, number> = { 'ECDSA P-256': 32, 'ECDSA P-384': 48, 'ECDSA P-521': 66 };

/** Octets of what each hash function gives. */
const SIZES: Record<Hash, number> = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64, 'STREEBOG-256': 32, 'STREEBOG-512': 64 };

const invalid = (field: string): PerstenError => new PerstenError({ code: 'request_invalid', args: { field } }, 'en');

/** What the key of a certificate can sign with, in Web eID's words. */
export function algorithmsOf(certificate: Certificate): SignatureAlgorithm[] {
  const kind = KINDS.find((k) => k.begins.test(certificate.key));
  return (kind?.hashes ?? []).map((hashFunction) => ({ cryptoAlgorithm: kind?.crypto ?? 'RSA', hashFunction, paddingScheme: kind?.padding ?? 'NONE' }));
}

export interface DigestSigned {
  signature: Uint8Array<ArrayBuffer>;
  algorithm: SignatureAlgorithm;
}

/** Signing of digests, as pages of Web eID and of hwcrypto ask for it. */
export class Keys {
  constructor(private readonly agent: Agent) {}

  /** The certificate for signing documents: the only one, or the one the person chooses. */
  async choose(signal: AbortSignal): Promise<Certificate> {
    return (await this.agent.ask('certificates.select', { purpose: 'sign' }, signal)).certificate;
  }

  /** Signs a digest by the key of a certificate; the agent asks for the right to sign unseen. */
  async sign(der: Uint8Array<ArrayBuffer>, hashFunction: string, digest: Uint8Array, note: string | undefined, signal: AbortSignal): Promise<DigestSigned> {
    const certificate = await this.find(der);
    const algorithm = algorithmsOf(certificate).find((a) => a.hashFunction === hashFunction);
    if (!algorithm) throw invalid('hashFunction');
    if (digest.length !== SIZES[algorithm.hashFunction]) throw invalid('hash');
    const prefix = KINDS.find((k) => k.crypto === algorithm.cryptoAlgorithm)?.prefix;
    const named = prefix ? { algorithm: prefix + hashFunction.replace('-', '').toLowerCase() } : {};
    const about = note ? { note: note.slice(0, 200) } : {};
    const r = await this.agent.ask('sign.raw', { certificate: certificate.id, digest: hex(digest).toLowerCase(), ...named, ...about }, signal);
    const size = CURVES[certificate.key];
    const made = fromBase64(r.signature);
    return { algorithm, signature: size === undefined ? made : concatenated(made, size) };
  }

  private async find(der: Uint8Array<ArrayBuffer>): Promise<Certificate> {
    const id = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', der))).toLowerCase();
    const found = (await this.agent.certificates()).find((c) => c.id === id);
    if (!found) throw new PerstenError({ code: 'certificate_absent', args: { id } }, 'en');
    return found;
  }
}

/** r and s of equal length, from the DER the agent gives. */
export function concatenated(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(2 * size);
  inside(read(der)).forEach((part, i) => {
    const number = part.value.subarray(Math.max(0, part.value.length - size));
    out.set(number, (i + 1) * size - number.length);
  });
  return out;
}
