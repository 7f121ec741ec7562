// SPDX-License-Identifier: GPL-3.0-or-later
import type { Report } from '../../proto.gen.js';
import { hex } from '../der.js';
import { parse } from '../x509.js';
import { Certificate } from './certificate.js';
import { Fault, fault, troubleOf } from './errors.js';
import type { Face } from './face.js';
import { Signer, Signers } from './signer.js';

/** What the page is shown of a report's signers; certificates are those found in the signature. */
export async function signersOf(face: Face, r: Report, certificates: readonly Uint8Array[]): Promise<Signers> {
  const byId = new Map<string, Certificate>();
  for (const der of certificates) {
    try {
      const { der: exact } = parse(der);
      byId.set(hex(new Uint8Array(await crypto.subtle.digest('SHA-256', exact))).toLowerCase(), new Certificate(face, exact));
    } catch {
      // Attribute certificates and the like sign nothing here.
    }
  }
  return new Signers(r.signers.map((s) => new Signer({
    certificate: s.certificate && byId.get(s.certificate.id), signed: s.signingTime,
    stamped: s.timestamps?.find((t) => t.valid)?.time, valid: s.valid,
  })));
}

/**
 * Throws the first thing wrong with a signature: that it does not fit, that the signer's certificate is not to be trusted, or
 * that nobody could tell whether it was revoked. Pages take silence for a good signature, so doubt is an error.
 */
export function demandGood(r: Report): void {
  if (r.signers.length === 0) throw fault('notMessage');
  for (const s of r.signers) {
    if (s.valid && s.trusted && s.indication === 'TOTAL_PASSED') continue;
    const trouble = troubleOf(s.code ?? (s.valid ? 'certificate_untrusted' : 'signature_invalid'));
    throw new Fault([s.text ?? 'Подпись не прошла проверку.', s.next].filter(Boolean).join(' '), trouble === 'unexpected' ? 'untrusted' : trouble);
  }
}

/** Kinds of signature by the agent's names: what CADESCOM_CADES_TYPE calls them. */
const TYPES: Record<string, number> = { cms: 0xffff, 'cades-bes': 1, 'cades-epes': 1, 'cades-t': 5 };

export function typeOf(r: Report): number {
  return Math.min(...r.signers.map((s) => TYPES[s.format ?? ''] ?? 0xffff));
}
