// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64 } from '../../../sdk/content.js';
import { Remote } from '../model.js';
import { keyUsage } from '../x509.js';
import { Certificate } from './certificate.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { List } from './lists.js';
import { x500 } from './names.js';

const [CONTAINERS, READ_WRITE] = [100, 1];

/** A certificate store. The person's own certificates are those on tokens; other stores are empty. */
export class Store extends Remote {
  private opened: { location: number; name: string; mode: number } | undefined;

  constructor(private readonly face: Face) {
    super();
  }

  Open(location: unknown = 2, name: unknown = 'My', mode: unknown = 0): void {
    this.opened = { location: Number(location), name: String(name), mode: Number(mode) };
  }

  Close(): void {
    this.opened = undefined;
  }

  get Location(): number { return this.open.location; }
  get Name(): string { return this.open.name; }

  get Certificates(): Promise<Certificates> {
    const { location, name } = this.open;
    const own = location === CONTAINERS || name.toLowerCase() === 'my';
    return own ? listed(this.face) : Promise.resolve(new Certificates([]));
  }

  Add(): void {
    throw this.writable();
  }

  AddCRL(): void {
    throw this.writable();
  }

  Delete(): void {
    throw this.writable();
  }

  Remove(): void {
    throw this.writable();
  }

  ImportPFX(): void {
    throw this.writable();
  }

  private get open(): NonNullable<Store['opened']> {
    if (!this.opened) throw fault('parameter');
    return this.opened;
  }

  /** Nothing can be written; what to say of it depends on how the store was opened. */
  private writable(): Error {
    return fault((this.open.mode & READ_WRITE) === 0 ? 'denied' : 'notImplemented');
  }
}

/** The certificates of the person's tokens. */
export async function listed(face: Face): Promise<Certificates> {
  const all = await face.agent.certificates();
  return new Certificates(all.flatMap((c) => {
    try {
      return [new Certificate(face, fromBase64(c.der), c)];
    } catch {
      return []; // one that cannot be shown hides no other
    }
  }));
}

/** The object CAPICOM.Certificates, which pages search in. */
export class Certificates extends List<Certificate> {
  async Find(type: unknown, criteria?: unknown, validOnly?: unknown): Promise<Certificates> {
    const fits = test(Number(type), criteria);
    const found: Certificate[] = [];
    for (const c of this.items) {
      if ((!validOnly || placed(c, new Date()) === 0) && (await fits(c))) found.push(c);
    }
    return new Certificates(found);
  }
}

type Test = (c: Certificate) => boolean | Promise<boolean>;

/** Finds by the numbers of CAPICOM_CERTIFICATE_FIND_TYPE. */
function test(type: number, criteria: unknown): Test {
  const text = String(criteria ?? '').toLowerCase();
  switch (type) {
    case 0: return async (c) => (await c.Thumbprint).toLowerCase() === text.replace(/\s/g, '');
    case 1: return (c) => x500(c.x509.subject).toLowerCase().includes(text);
    case 2: return (c) => x500(c.x509.issuer).toLowerCase().includes(text);
    case 3: return (c) => (c.listed?.chain?.at(-1)?.name ?? '').toLowerCase().includes(text);
    case 4: return (c) => c.template.toLowerCase() === text;
    case 5: return (c) => c.x509.extensions.some((e) => e.oid === text);
    case 6: return property(Number(criteria));
    case 7: return (c) => c.isFor(text);
    case 8: return (c) => c.hasPolicy(text);
    case 9: return dated(criteria, 0);
    case 10: return dated(criteria, -1);
    case 11: return dated(criteria, 1);
    case 12: return usage(Number(criteria));
    default: throw fault('parameter');
  }
}

/** Certificates that a moment lies before (-1), in (0) or after (1). */
function dated(moment: unknown, where: -1 | 0 | 1): Test {
  const at = moment ? new Date(moment as string | Date) : new Date();
  if (Number.isNaN(at.getTime())) throw fault('parameter');
  return (c) => placed(c, at) === where;
}

function placed(c: Certificate, at: Date): -1 | 0 | 1 {
  return at < c.x509.notBefore ? -1 : at > c.x509.notAfter ? 1 : 0;
}

/** Property 2 is the link to the key; some others every certificate has. */
function property(id: number): Test {
  if (!(id >= 0 && id <= 30)) throw fault('parameter');
  if (id === 2) return (c) => c.HasPrivateKey();
  return () => [3, 4, 15, 20].includes(id);
}

/** One flag of the key usage; a certificate that names none may be used for all. */
function usage(flag: number): Test {
  if (!(flag > 0) || (flag & (flag - 1)) !== 0) throw fault('parameter');
  return (c) => ((keyUsage(c.x509) ?? ~0) & flag) !== 0;
}
