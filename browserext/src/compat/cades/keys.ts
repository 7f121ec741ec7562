// SPDX-License-Identifier: GPL-3.0-or-later
import { fault } from './errors.js';
import { hex } from '../der.js';
import { Remote } from '../model.js';
import type { X509 } from '../x509.js';
import { lines } from './bytes.js';
import { record } from './lists.js';

/** What a kind of key is called, and which provider type stands for it. */
const KINDS: Record<string, { name: string; type: number }> = {
  '1.2.643.7.1.1.1.1': { name: 'ГОСТ Р 34.10-2012 256 бит', type: 80 },
  '1.2.643.7.1.1.1.2': { name: 'ГОСТ Р 34.10-2012 512 бит', type: 81 },
  '1.2.643.2.2.19': { name: 'ГОСТ Р 34.10-2001', type: 75 },
  '1.2.840.113549.1.1.1': { name: 'RSA', type: 24 },
  '1.2.840.10045.2.1': { name: 'ECC', type: 24 },
};

function kindOf(c: X509): { name: string; type: number } {
  return KINDS[c.key.algorithm] ?? { name: '', type: 24 };
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
