// SPDX-License-Identifier: GPL-3.0-or-later
import type { Content, Report } from '../../proto.gen.js';
import { mimeOf, SIGNATURE } from '../agent.js';
import { readSigned } from '../cms.js';
import { Remote } from '../model.js';
import { decode, encode, result, unbase64 } from './bytes.js';
import { Certificate } from './certificate.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { HashedData } from './hashed.js';
import { Signer, type Signers } from './signer.js';
import { Certificates } from './store.js';
import { demandGood, signersOf, typeOf } from './verdict.js';

const [DEFAULT, BES, T, LONG, PKCS7] = [0, 1, 5, 0x5d, 0xffff];

/** A signature in the making, or one that was verified. */
export class CadesSignedData extends Remote {
  private encoding: unknown = 0;
  private content: Uint8Array<ArrayBuffer> | undefined;
  private hashed: HashedData | undefined;
  private message: Uint8Array<ArrayBuffer> | undefined;
  private detached = false;
  private signers: Signers | undefined;

  constructor(private readonly face: Face) {
    super();
  }

  get ContentEncoding(): unknown { return this.encoding; }
  set ContentEncoding(v: unknown) { this.encoding = v; }
  get Content(): string { return encode(this.content ?? new Uint8Array(0), this.encoding); }
  set Content(v: unknown) { this.content = decode(v, this.encoding); }
  set DisplayData(_: unknown) {}
  AdditionalStore(): void {}

  get Signers(): Signers {
    if (!this.signers) throw fault('noSignature');
    return this.signers;
  }

  get Certificates(): Certificates {
    if (!this.message) throw fault('noSignature');
    return new Certificates((readSigned(this.message)?.certificates ?? []).map((der) => new Certificate(this.face, der)));
  }

  async SignCades(signer: unknown, type: unknown = DEFAULT, detached: unknown = false, encoding?: unknown): Promise<string> {
    const s = signerOf(signer);
    const form = { ...profile(type, s), ...about(s), ...this.shown(), attached: detached !== true };
    return this.made(await this.onContent(s, (content) => this.face.agent.signCms({ certificate: s.signing.id, content, ...form })), detached === true, encoding);
  }

  Sign(signer: unknown, detached: unknown = false, encoding?: unknown): Promise<string> {
    return this.SignCades(signer, PKCS7, detached, encoding);
  }

  async SignHash(hashed: unknown, signer: unknown, type: unknown = DEFAULT, encoding?: unknown): Promise<string> {
    const s = signerOf(signer);
    const form = { ...profile(type, s), ...about(s) };
    return this.made(await this.byHash(hashedOf(hashed), s, form), true, encoding);
  }

  /** Adds a signer to what was signed or verified before. */
  async CoSignCades(signer: unknown, type: unknown = DEFAULT, encoding?: unknown): Promise<string> {
    const s = signerOf(signer);
    const form = { ...profile(type, s), ...about(s) };
    const made = await this.beside((addTo) => (this.detached
      ? this.onContent(s, (content) => this.face.agent.signCms({ certificate: s.signing.id, content, addTo, ...form }))
      : this.face.agent.signCms({ certificate: s.signing.id, addTo, ...form })));
    return this.made(made, this.detached, encoding);
  }

  CoSign(signer: unknown, encoding?: unknown): Promise<string> {
    return this.CoSignCades(signer, PKCS7, encoding);
  }

  async CoSignHash(hashed: unknown, signer: unknown, type: unknown = DEFAULT, encoding?: unknown): Promise<string> {
    const s = signerOf(signer);
    const form = { ...profile(type, s), ...about(s) };
    return this.made(await this.beside((addTo) => this.byHash(hashedOf(hashed), s, { ...form, addTo })), true, encoding);
  }

  EnhanceCades(): void {
    throw fault('notImplemented');
  }

  async VerifyCades(message: unknown, type: unknown = DEFAULT, detached: unknown = false): Promise<void> {
    const bytes = unbase64(message);
    if (detached === true && !this.content) throw fault('parameter');
    const report = detached === true
      ? await this.face.agent.give(this.content ?? bytes, named('Документ', this.content), (content) => this.face.agent.verifyCms(bytes, { content }))
      : await this.face.agent.verifyCms(bytes);
    if (detached !== true) this.content = readSigned(bytes)?.content ?? this.content;
    await this.keep(bytes, detached === true, report);
    demandGood(report);
    demandType(type, typeOf(report));
  }

  Verify(message: unknown, detached: unknown = false): Promise<void> {
    return this.VerifyCades(message, PKCS7, detached);
  }

  async VerifyHash(hashed: unknown, message: unknown, type: unknown = DEFAULT): Promise<void> {
    const h = hashedOf(hashed);
    const document = await h.document();
    const bytes = unbase64(message);
    const report = await this.face.agent.verifyCms(bytes, document ? { content: document.content } : { digest: (await h.finish()).toLowerCase(), digestAlg: h.name });
    this.hashed = h;
    await this.keep(bytes, true, report);
    demandGood(report);
    demandType(type, typeOf(report));
  }

  async GetMsgType(message: unknown): Promise<number> {
    const bytes = unbase64(message);
    const signed = readSigned(bytes);
    if (!signed) throw fault('messageType');
    // The kind is written in the signature; for a detached one it shows without the document, which need not fit.
    const given = signed.content ? {} : { content: { inline: '' } };
    return typeOf(await this.face.agent.verifyCms(bytes, given));
  }

  async IsMsgType(message: unknown, type: unknown): Promise<boolean> {
    return (await this.GetMsgType(message)) === Number(type);
  }

  /** Signs what was hashed: the document itself when the page gave it to us, else the bare digest. */
  private async byHash(h: HashedData, s: Signer, form: object): Promise<Uint8Array<ArrayBuffer>> {
    const algorithm = h.fit(s.signing);
    const certificate = s.signing.id;
    const document = await h.document();
    if (document) return this.face.agent.signCms({ certificate, content: document.content, attached: false, algorithm, ...form });
    return this.face.agent.signCms({ certificate, digest: (await h.finish()).toLowerCase(), algorithm, ...form });
  }

  /** What the person is shown the document as; a small one has no other place for it. */
  private shown(): { mime?: string | undefined } {
    return { mime: this.content && mimeOf(this.content) };
  }

  private onContent<R>(s: Signer, use: (content: Content) => Promise<R>): Promise<R> {
    const { content } = this;
    if (!content && this.hashed) return this.hashed.document().then((d) => (d ? use(d.content) : Promise.reject(fault('notImplemented'))));
    if (!content) throw fault('parameter');
    return this.face.agent.give(content, { ...named(s.document.name ?? 'Документ', content), certificate: s.signing.id }, use);
  }

  private beside<R>(use: (addTo: Content) => Promise<R>): Promise<R> {
    if (!this.message) throw fault('noSignature');
    return this.face.agent.give(this.message, SIGNATURE, use);
  }

  private async keep(bytes: Uint8Array<ArrayBuffer>, detached: boolean, report: Report): Promise<void> {
    this.message = bytes;
    this.detached = detached;
    this.signers = await signersOf(this.face, report, readSigned(bytes)?.certificates ?? []);
  }

  private made(bytes: Uint8Array<ArrayBuffer>, detached: boolean, encoding: unknown): string {
    this.message = bytes;
    this.detached = detached;
    return result(bytes, encoding);
  }
}

function signerOf(v: unknown): Signer {
  if (!(v instanceof Signer)) throw fault('parameter');
  return v;
}

function hashedOf(v: unknown): HashedData {
  if (!(v instanceof HashedData)) throw fault('parameter');
  return v;
}

function named(name: string, bytes: Uint8Array | undefined): { name: string; mime: string | undefined } {
  return { name, mime: bytes && mimeOf(bytes) };
}

/** The agent's profile for a type. The plug-in's own default is a type with time-stamps, for which it wants an address. */
function profile(type: unknown, s: Signer): { profile?: string } {
  const t = Number(type);
  if (t === BES || t === PKCS7) return {};
  if (t === T) return { profile: 'cades-t' };
  if (t !== DEFAULT && t !== LONG) throw fault('parameter');
  throw fault(s.TSAAddress ? 'notImplemented' : 'noTsa');
}

function about(s: Signer): object {
  const { name, note } = s.document;
  return { ...(name && { name, attributes: { documentName: name } }), ...(note && { note }) };
}

/** A signature without time-stamps does not pass for one with them. */
function demandType(asked: unknown, found: number): void {
  const t = Number(asked);
  if (t === PKCS7) return;
  if (t === BES ? found === PKCS7 : t === T ? found !== T : true) throw fault('otherType');
}

