// SPDX-License-Identifier: GPL-3.0-or-later
import type { Content } from '../../proto.gen.js';
import { inside, read, SEQUENCE } from '../der.js';
import { digestsOf } from '../algorithms.js';
import { Remote } from '../model.js';
import { fault, Fault, troubleOf } from './errors.js';
import type { Face } from './face.js';
import { Signer, type Signers } from './signer.js';
import { signersOf } from './verdict.js';
import { fromText, toText } from './xmltext.js';
import { unbase64 } from './bytes.js';

const MODES: Record<number, string> = { 0: 'enveloped', 1: 'enveloping', 2: 'template' };

/** CADESCOM_XADES in the upper bits of the signature type. */
const PROFILES: Record<number, string> = { 0x00: 'dsig', 0x10: 'xades-bes', 0x20: 'xades-bes' };

const CP = 'urn:ietf:params:xml:ns:cpxmlsec:algorithms:';
const W3 = 'http://www.w3.org/2001/04/xmldsig-more#';
const ENC = 'http://www.w3.org/2001/04/xmlenc#';

/** Signature methods: the agent's algorithm. */
const METHODS: Record<string, string> = {
  [`${CP}gostr34102012-gostr34112012-256`]: 'gost2012-256', [`${CP}gostr34102012-gostr34112012-512`]: 'gost2012-512',
  [`${CP}gostr34102001-gostr3411`]: 'gost2001', [`${W3}gostr34102001-gostr3411`]: 'gost2001',
  [`${W3}rsa-sha256`]: 'rsa-sha256', [`${W3}rsa-sha384`]: 'rsa-sha384', [`${W3}rsa-sha512`]: 'rsa-sha512',
  [`${W3}ecdsa-sha256`]: 'ecdsa-sha256', [`${W3}ecdsa-sha384`]: 'ecdsa-sha384', [`${W3}ecdsa-sha512`]: 'ecdsa-sha512',
};

/** Digest methods: the agent's name. */
const DIGESTS: Record<string, string> = {
  [`${CP}gostr34112012-256`]: 'streebog256', [`${CP}gostr34112012-512`]: 'streebog512', [`${CP}gostr3411`]: 'gost94', [`${W3}gostr3411`]: 'gost94',
  [`${ENC}sha256`]: 'sha256', [`${W3}sha384`]: 'sha384', [`${ENC}sha512`]: 'sha512',
};

/** An XML document to be signed or verified. */
export class SignedXML extends Remote {
  private content: string | undefined;
  private type = 0;
  private method = '';
  private digest = '';
  private signers: Signers | undefined;

  constructor(private readonly face: Face) {
    super();
  }

  get Content(): string { return this.content ?? ''; }
  set Content(v: unknown) { this.content = String(v); }
  get SignatureType(): number { return this.type; }

  set SignatureType(v: unknown) {
    const type = Number(v);
    if (!((type & 0x0f) in MODES) || ((type & ~0x0f) !== 0 && !((type & ~0x0f) in PROFILES))) throw fault(type >= 0 && type <= 0x5d2 ? 'notImplemented' : 'parameter');
    this.type = type;
  }

  get SignatureMethod(): string { return this.method; }
  set SignatureMethod(v: unknown) { this.method = String(v); }
  get DigestMethod(): string { return this.digest; }
  set DigestMethod(v: unknown) { this.digest = String(v); }

  get Signers(): Signers {
    if (!this.signers) throw fault('noSignature');
    return this.signers;
  }

  async Sign(signer: unknown, path: unknown = ''): Promise<string> {
    if (!(signer instanceof Signer) || this.content === undefined) throw fault('parameter');
    const certificate = signer.signing;
    const form = { certificate: certificate.id, name: signer.document.name ?? 'Документ.xml', mime: 'application/xml', ...this.form(digestsOf(certificate.x509), path) };
    const { bytes, label } = fromText(this.content);
    const document = await this.face.agent.give(bytes, { name: form.name, mime: form.mime, certificate: certificate.id }, async (content) =>
      this.face.agent.take((await this.face.agent.call('sign.xml', { ...form, content })).document));
    return toText(document, label);
  }

  /** Says whether the signatures fit; whom the certificates belong to and whether to trust them is the page's to ask. */
  async Verify(document: unknown, path: unknown = ''): Promise<void> {
    if (path) throw fault('notImplemented');
    const { bytes } = fromText(String(document));
    const report = await this.face.agent.give(bytes, { name: 'Документ.xml', mime: 'application/xml' }, (content) =>
      this.face.agent.call('verify.xml', { content }));
    this.content = String(document);
    this.signers = await signersOf(this.face, report, certificatesIn(this.content));
    for (const s of report.signers) {
      if (!s.valid) throw new Fault(s.text ?? 'Подпись не прошла проверку', s.code ? troubleOf(s.code) : 'signature');
    }
  }

  private form(digests: Record<string, string>, path: unknown): { content?: Content } {
    const algorithm = this.method === '' ? undefined : METHODS[this.method];
    if (this.method !== '' && !algorithm) throw fault('noCertificate');
    if (algorithm && !Object.values(digests).includes(algorithm)) throw fault('algorithm');
    const digest = this.digest === '' ? undefined : DIGESTS[this.digest];
    if (this.digest !== '' && !digest) throw fault('noCertificate');
    if (digest && algorithm && digests[digest] !== algorithm) throw fault('algorithm');
    const place = path ? { place: { path: steps(String(path)) } } : {};
    return {
      mode: MODES[this.type & 0x0f], profile: PROFILES[this.type & ~0x0f], columns: 64, ...place, ...(algorithm && { algorithm }),
    } as object;
  }
}

/** The part of XPath that the agent's steps say as well. */
function steps(path: string): string {
  if (!/^(\/\/?[\w.*-]+(\[\d+\])?)+$/u.test(path)) throw fault('notImplemented');
  return path;
}

/** The certificates a document holds, wherever they stand; which of them signed is the agent's word. */
function certificatesIn(document: string): Uint8Array[] {
  return [...document.matchAll(/X509Certificate[^>]*>([^<]*)</g)].flatMap((m) => {
    try {
      const n = read(unbase64(m[1]));
      return n.tag === SEQUENCE && inside(n).length === 3 ? [n.whole] : [];
    } catch {
      return [];
    }
  });
}
