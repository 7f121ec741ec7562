// SPDX-License-Identifier: GPL-3.0-or-later
import { fault } from './errors.js';
import { hex } from '../der.js';
import { Remote } from '../model.js';
import type { X509 } from '../x509.js';
import { lines } from './bytes.js';
import { record } from './lists.js';

/** What a kind of key is called, and which provider type stands for it. */
interface Kind {
  name: string;
  type: number;
  /** What pages may ask to sign with, by the agent's names, and the digest of each. */
  digests: Record<string, string>;
}

const SHA2 = (family: string): Record<string, string> => ({ sha256: `${family}-sha256`, sha384: `${family}-sha384`, sha512: `${family}-sha512` });

const KINDS: Record<string, Kind> = {
  '1.2.643.7.1.1.1.1': { name: 'ГОСТ Р 34.10-2012 256 бит', type: 80, digests: { streebog256: 'gost2012-256' } },
  '1.2.643.7.1.1.1.2': { name: 'ГОСТ Р 34.10-2012 512 бит', type: 81, digests: { streebog512: 'gost2012-512' } },
  '1.2.643.2.2.19': { name: 'ГОСТ Р 34.10-2001', type: 75, digests: { gost94: 'gost2001' } },
  '1.2.840.113549.1.1.1': { name: 'RSA', type: 24, digests: SHA2('rsa') },
  '1.2.840.10045.2.1': { name: 'ECC', type: 24, digests: SHA2('ecdsa') },
};

const OTHER: Kind = { name: '', type: 24, digests: {} };

export function kindOf(c: X509): Kind {
  return KINDS[c.key.algorithm] ?? OTHER;
}

export function publicKey(c: X509): Remote {
  const { algorithm, parameters, value, length } = c.key;
  const encoded = (bytes: Uint8Array): Remote => new Encoded(bytes);
  return record({
    Algorithm: record({ Value: algorithm, FriendlyName: kindOf(c).name, Name: 0 }), Length: length,
    EncodedKey: encoded(value), EncodedParameters: encoded(parameters),
  });
}

/** Bytes out of a certificate, which the page reads as base64. */
export class Encoded extends Remote {
  constructor(private readonly bytes: Uint8Array) {
    super();
  }

  Value(encoding: unknown = 0): string {
    if (Number(encoding) !== 0) throw fault('parameter');
    return lines(this.bytes);
  }

  Format(): string {
    return hex(this.bytes);
  }
}

/** The name under which keys are shown to work; portals show it, and put it into certificate requests. */
export const PROVIDER = 'Persten';

/**
 * The private key, as far as there is anything to tell. What a page sets as a PIN is dropped here, unread: the person types it
 * in the agent's window.
 */
export class PrivateKey extends Remote {
  constructor(private readonly certificate: X509, private readonly id: string, private readonly token: string) {
    super();
  }

  get ProviderName(): string { return PROVIDER; }
  get ProviderType(): number { return kindOf(this.certificate).type; }
  get ContainerName(): string { return this.id.slice(0, 32); }
  get UniqueContainerName(): string { return `${PROVIDER}\\${this.token}\\${this.id.slice(0, 32)}`; }
  get KeySpec(): number { return 1; }
  get CachePin(): boolean { return false; }
  set CachePin(_: unknown) {}
  set KeyPin(_: unknown) {}
  IsDefaultPin(): boolean { return false; }
  IsHardwareDevice(): boolean { return true; }

  ChangePin(): void {
    throw fault('notImplemented', 'PIN-код меняют в окне Persten');
  }
}
