// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import type { Certificate } from './certificate.js';
import type { Face } from './face.js';
import { List } from './lists.js';

/** What is known of one certificate of a chain; the names are the agent's. */
interface Link {
  ok: boolean;
  code?: string;
  revocation?: { status: string };
}

/** Bits of a link's status, by the agent's word for what is wrong with it. */
const BITS: Record<string, number> = {
  expired: 0x1, early: 0x1, revoked: 0x4, signature: 0x8, use: 0x10, root: 0x20, issuer: 0x10000, absent: 0x10000, unknown: 0x40,
  extension: 0x100, policy: 0x200, length: 0x400, names: 0x800, unsupported: 0x8000000,
};

/** Whether a certificate is good, and what is wrong with each of its chain. */
class Status extends Remote {
  constructor(private readonly good: boolean, private readonly links: Link[], private readonly subject: Certificate) {
    super();
  }

  get Result(): boolean { return this.good; }
  get ErrorStatuses(): List<number> { return new List(this.links.map((l) => (l.ok ? 0 : BITS[l.code ?? ''] ?? 0x20))); }
  get ValidationCertificates(): List<Certificate> { return new List([this.subject]); }
}

/** Asks the agent; what it does not list is judged by its dates alone, and is not good: nobody followed its chain. */
export async function statusOf(face: Face, c: Certificate): Promise<Remote> {
  const now = Date.now();
  const { notBefore, notAfter } = c.x509;
  const dated = notBefore.getTime() <= now && now <= notAfter.getTime();
  if (!c.listed) return new Status(false, [dated ? { ok: false, code: 'issuer' } : { ok: false, code: 'expired' }], c);
  if (await face.agent.able('certificates.check')) {
    const r = await face.agent.call('certificates.check', { certificate: c.id }) as { indication?: string; chain?: Link[] };
    return new Status(r.indication === 'TOTAL_PASSED', r.chain ?? [], c);
  }
  const chain = c.listed.chain ?? [];
  return new Status(dated && chain.length > 0 && chain.every((l) => l.ok), chain, c);
}
