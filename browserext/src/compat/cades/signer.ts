// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { decode } from './bytes.js';
import { Certificate } from './certificate.js';
import { fault } from './errors.js';
import { List, OpenList, record } from './lists.js';

const [SIGNING_TIME, DOCUMENT_NAME, DOCUMENT_DESCRIPTION] = [0, 1, 2];
const KNOWN = [SIGNING_TIME, DOCUMENT_NAME, DOCUMENT_DESCRIPTION];

/** An attribute the page wants signed. The signing time is always the agent's own, whatever the page says. */
export class Attribute extends Remote {
  private name: unknown = SIGNING_TIME;
  private value: unknown = '';
  private readonly oid = new ObjectId();
  private encoding: unknown = 0;

  get Name(): unknown { return this.name; }
  set Name(v: unknown) { this.name = Number(v); }
  get Value(): unknown { return this.value; }
  set Value(v: unknown) { this.value = v; }
  get OID(): ObjectId { return this.oid; }
  set OID(v: unknown) { this.oid.Value = v; }
  get ValueEncoding(): unknown { return this.encoding; }
  set ValueEncoding(v: unknown) { this.encoding = v; }

  /** The text of an attribute of this name. */
  as(name: number): string | undefined {
    if (this.name !== name) return undefined;
    return Number(this.encoding) === 1 ? new TextDecoder().decode(decode(this.value, 1)) : String(this.value);
  }
}

class ObjectId extends Remote {
  private value: unknown = '';
  get Value(): unknown { return this.value; }
  set Value(v: unknown) { this.value = String(v); }
  get FriendlyName(): string { return ''; }
}

const isAttribute = (v: unknown): v is Attribute => v instanceof Attribute;
const anything = (v: unknown): v is unknown => v !== undefined;

/** What a verification found about a signer. */
export interface Found {
  certificate: Certificate | undefined;
  signed: string | undefined;
  stamped: string | undefined;
  valid: boolean;
}

/** Who signs, and how; or who signed. A PIN the page sets is dropped here, unread. */
export class Signer extends Remote {
  private certificate: Certificate | undefined;
  private options: unknown = 0;
  private check: unknown = false;
  private tsa = '';
  private readonly authenticated = new OpenList(isAttribute);
  private readonly unauthenticated = new OpenList(isAttribute);
  private readonly crls = new OpenList(anything);
  private readonly ocsp = new OpenList(anything);

  constructor(private readonly found?: Found) {
    super();
    this.certificate = found?.certificate;
  }

  get Certificate(): Certificate | undefined {
    if (this.found && !this.certificate) throw fault('noCertificate', 'В подписи нет сертификата подписавшего');
    return this.certificate;
  }

  set Certificate(v: unknown) {
    if (!(v instanceof Certificate)) throw fault('parameter');
    this.certificate = v;
  }

  get Options(): unknown { return this.options; }
  set Options(v: unknown) { this.options = v; }
  get CheckCertificate(): unknown { return this.check; }
  set CheckCertificate(v: unknown) { this.check = v; }
  get TSAAddress(): string { return this.tsa; }
  set TSAAddress(v: unknown) { this.tsa = String(v); }
  set KeyPin(_: unknown) {}

  get AuthenticatedAttributes2(): OpenList<Attribute> { return this.authenticated; }
  get UnauthenticatedAttributes(): OpenList<Attribute> { return this.unauthenticated; }
  get CRLs(): OpenList<unknown> { return this.crls; }
  get OCSPResponses(): OpenList<unknown> { return this.ocsp; }

  get SigningTime(): Date { return when(this.verified.signed); }
  get SignatureTimeStampTime(): Date { return when(this.verified.stamped); }
  get SignatureStatus(): Remote { return record({ IsValid: this.verified.valid }); }

  /** The certificate to sign with. Throws when there is none, or no key for it. */
  get signing(): Certificate {
    if (!this.certificate) throw fault('parameter');
    void this.certificate.id;
    return this.certificate;
  }

  private get verified(): Found {
    if (!this.found) throw fault('noSignature');
    return this.found;
  }

  /** How the page calls the document. Throws when it wants more signed than that. */
  get document(): { name: string | undefined; note: string | undefined } {
    if (this.authenticated.all.some((a) => !KNOWN.includes(Number(a.Name)))) throw fault('notImplemented', 'Такой подписанный атрибут Persten не добавляет');
    const text = (name: number): string | undefined => {
      const found = this.authenticated.all.map((a) => a.as(name)).find((t) => t);
      return found && tidy(found);
    };
    return { name: text(DOCUMENT_NAME), note: text(DOCUMENT_DESCRIPTION) };
  }
}

/** One line without control characters, as the agent takes names. */
function tidy(s: string): string {
  return s.replace(/[\p{C}\u2028\u2029]+/gu, ' ').trim().slice(0, 200);
}

function when(time: string | undefined): Date {
  if (time === undefined) throw fault('parameter', 'В подписи нет этого времени');
  return new Date(time);
}

/** The signers of a signature. */
export class Signers extends List<Signer> {
  set DisplayData(_: unknown) {}
}
