// SPDX-License-Identifier: GPL-3.0-or-later
import type { ChainLink } from '../../proto.gen.js';
import { Remote } from '../model.js';
import type { Certificate } from './certificate.js';
import type { Face } from './face.js';
import { List } from './lists.js';

/** Bits of a link's status, by the agent's word for what is wrong with it. */
const BITS: Record<string, number> = {
  expired: 0x1, early: 0x1, revoked: 0x4, signature: 0x8, use: 0x10, root: 0x20, issuer: 0x10000, absent: 0x10000, unknown: 0x40,
  extension: 0x100, policy: 0x200, length: 0x400, names: 0x800, unsupported: 0x8000000,
};
const UNTRUSTED = 0x20;

/** Whether a certificate is good, and what is wrong with each of its chain, the certificate first. */
class Status extends Remote {
  constructor(private readonly good: boolean, private readonly links: Pick<ChainLink, 'ok' | 'code'>[], private readonly subject: Certificate) {
    super();
  }

  get Result(): boolean { return this.good; }
  get ErrorStatuses(): List<number> { return new List(this.links.map((l) => (l.ok ? 0 : BITS[l.code ?? ''] ?? UNTRUSTED))); }
  get ValidationCertificates(): List<Certificate> { return new List([this.subject]); }
}

/** Asks the agent; what it does not list is judged by its dates alone, and is not good: nobody followed its chain. */
export async function statusOf(face: Face, c: Certificate): Promise<Remote> {
  if (c.listed) {
    const { indication, chain } = await face.agent.call('certificates.check', { certificate: c.id });
    return new Status(indication === 'TOTAL_PASSED', chain, c);
  }
  const now = Date.now();
  const dated = c.x509.notBefore.getTime() <= now && now <= c.x509.notAfter.getTime();
  return new Status(false, [{ ok: false, code: dated ? 'issuer' : 'expired' }], c);
}
