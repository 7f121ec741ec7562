// SPDX-License-Identifier: GPL-3.0-or-later
import type { Certificate as Listed } from '../../proto.gen.js';
import { hex, text } from '../der.js';
import { Remote } from '../model.js';
import { basicConstraints, find, keyPeriod, keyUsage, parse, policies, purposes, type X509 } from '../x509.js';
import { lines, unbase64 } from './bytes.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { List, record } from './lists.js';
import { EMAIL, first, simple, x500 } from './names.js';
import { Encoded, PrivateKey, publicKey } from './keys.js';
import { statusOf } from './status.js';

/** A certificate; with a key when it is one of those the agent listed. */
export class Certificate extends Remote {
  private read: X509 | undefined;

  constructor(private readonly face: Face, der?: Uint8Array, public listed?: Listed) {
    super();
    if (der) this.read = parse(der);
  }

  /** What is in it. A certificate the page made itself is empty until it is imported. */
  get x509(): X509 {
    if (!this.read) throw fault('parameter');
    return this.read;
  }

  /** Its id with the agent. Throws when no key is known for it. */
  get id(): string {
    if (!this.listed) throw fault('noKey', 'Для сертификата не найден закрытый ключ');
    return this.listed.id;
  }

  get Version(): number { return this.x509.version; }
  get SerialNumber(): string { return this.x509.serial; }
  get SubjectName(): string { return x500(this.x509.subject); }
  get IssuerName(): string { return x500(this.x509.issuer); }
  get ValidFromDate(): Date { return this.x509.notBefore; }
  get ValidToDate(): Date { return this.x509.notAfter; }
  get PrivateKeyUsagePeriodFrom(): Date { return keyPeriod(this.x509).from ?? this.x509.notBefore; }
  get PrivateKeyUsagePeriodTo(): Date { return keyPeriod(this.x509).to ?? this.x509.notAfter; }

  get Thumbprint(): Promise<string> | string {
    return this.listed?.thumbprint.toUpperCase() ?? thumbprint(this.x509);
  }

  get PrivateKey(): PrivateKey {
    return new PrivateKey(this.x509, this.id, this.listed?.token.label ?? '');
  }

  HasPrivateKey(): boolean { return this.listed !== undefined; }
  FindPrivateKey(): void { void this.id; }
  PublicKey(): Remote { return publicKey(this.x509); }
  IsValid(): Promise<Remote> { return statusOf(this.face, this); }

  Export(encoding: unknown = 0): string {
    if (Number(encoding) !== 0) throw fault('parameter');
    return lines(this.x509.der);
  }

  Import(data: unknown): void {
    try {
      this.read = parse(unbase64(data));
      this.listed = undefined; // whatever is imported, the key is of the one before
    } catch {
      throw fault('data', 'Это не сертификат');
    }
  }

  GetInfo(type: unknown): string {
    const { subject, issuer } = this.x509;
    switch (Number(type)) {
      case 0: return simple(subject);
      case 1: return simple(issuer);
      case 2: return first(subject, EMAIL);
      case 3: return first(issuer, EMAIL);
      case 4: case 5: case 6: case 7: return ''; // names of domains, which signers' certificates have none of
      case 100: return this.role;
      default: throw fault('parameter');
    }
  }

  KeyUsage(): Remote {
    const bits = keyUsage(this.x509);
    const set = (bit: number): boolean => ((bits ?? 0) & bit) !== 0;
    return record({
      IsPresent: bits !== undefined, IsDigitalSignatureEnabled: set(0x80), IsNonRepudiationEnabled: set(0x40), IsKeyEnciphermentEnabled: set(0x20),
      IsDataEnciphermentEnabled: set(0x10), IsKeyAgreementEnabled: set(0x08), IsKeyCertSignEnabled: set(0x04), IsCRLSignEnabled: set(0x02),
      IsEncipherOnlyEnabled: set(0x01), IsDecipherOnlyEnabled: set(0x8000),
    });
  }

  ExtendedKeyUsage(): Remote {
    const all = purposes(this.x509);
    const ekus = all.map((oid) => record({ OID: oid, Name: EKU[oid] ?? 0 }));
    return record({ IsPresent: all.length > 0, IsCritical: critical(this.x509), EKUs: new List(ekus) });
  }

  BasicConstraints(): Remote {
    const { present, ca, path } = basicConstraints(this.x509);
    return record({ IsPresent: present, IsCertificateAuthority: ca, IsPathLenConstraintPresent: path !== undefined, PathLenConstraint: path ?? 0 });
  }

  Extensions(): List<Remote> {
    return new List(this.x509.extensions.map((e) => record({
      OID: record({ Value: e.oid, FriendlyName: '' }), IsCritical: e.critical, EncodedData: new Encoded(e.value),
    })));
  }

  AdditionalStore(): void {}

  /** The name of the template it was issued by, as Microsoft's issuers write it. */
  get template(): string {
    const n = find(this.x509, TEMPLATE);
    return (n && text(n)) ?? '';
  }

  private get role(): string {
    if (!basicConstraints(this.x509).ca) return 'LEAF';
    return this.SubjectName === this.IssuerName ? 'ROOT' : 'CA';
  }

  /** Whether the certificate is for a purpose, given by its OID; one without purposes is for all. */
  isFor(oid: string): boolean {
    const all = purposes(this.x509);
    return all.length === 0 || all.includes(oid);
  }

  hasPolicy(oid: string): boolean {
    return policies(this.x509).includes(oid);
  }
}

const TEMPLATE = '1.3.6.1.4.1.311.20.2';

/** CAPICOM's numbers of the purposes it knows. */
const EKU: Record<string, number> = {
  '1.3.6.1.5.5.7.3.1': 1, '1.3.6.1.5.5.7.3.2': 2, '1.3.6.1.5.5.7.3.3': 3, '1.3.6.1.5.5.7.3.4': 4, '1.3.6.1.4.1.311.20.2.2': 5,
};

function critical(c: X509): boolean {
  return c.extensions.some((e) => e.oid === '2.5.29.37' && e.critical);
}

async function thumbprint(c: X509): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-1', c.der)));
}

export function isCertificate(v: unknown): v is Certificate {
  return v instanceof Certificate;
}
