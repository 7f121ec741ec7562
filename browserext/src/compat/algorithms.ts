// SPDX-License-Identifier: GPL-3.0-or-later
import type { X509 } from './x509.js';

const SHA2 = (family: string): Record<string, string> => ({ sha256: `${family}-sha256`, sha384: `${family}-sha384`, sha512: `${family}-sha512` });

const DIGESTS: Record<string, Record<string, string>> = {
  '1.2.643.7.1.1.1.1': { streebog256: 'gost2012-256' },
  '1.2.643.7.1.1.1.2': { streebog512: 'gost2012-512' },
  '1.2.643.2.2.19': { gost94: 'gost2001' },
  '1.2.840.113549.1.1.1': SHA2('rsa'),
  '1.2.840.10045.2.1': SHA2('ecdsa'),
};

/** The digests a certificate's key signs, and the signature algorithm of each, by the agent's names. */
export function digestsOf(c: X509): Record<string, string> {
  return DIGESTS[c.key.algorithm] ?? {};
}
