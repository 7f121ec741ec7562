// SPDX-License-Identifier: MIT
import { signBatch, type BatchAccount, type BatchDocument, type BatchOptions } from './batch.js';
import { cmsParams, type CmsForm } from './cms.js';
import { link, pageLang, type ConnectOptions, type Hello, type Link } from './connect.js';
import { readContent, toSource, withContent, type TransferOptions } from './content.js';
import type { Lang } from './errors.js';
import type { CallOptions, Connection, Method, Params, Result } from './rpc.js';
import type { Certificate, CertificateFilter, CertificateStatus, Content, LoginToken, Report, Token } from '../src/proto.gen.js';
import type { Data } from './source.js';
import type { Reason } from './wire.js';
import { formParams, type XmlForm } from './xml.js';

export type Status = Result<'agent.status'>;
/** What a verification found; `page` is the report for people, when it was asked for. */
export type Verification = Omit<Report, 'page'> & { page?: Uint8Array<ArrayBuffer> };

/** What every signature is asked for with. */
export interface AskOptions extends TransferOptions {
  /** A certificate of {@link Persten.certificates}, its id, or its SHA-1 thumbprint. */
  certificate: Certificate | string;
  /** Name of the document as the person will see it; a File's own name by default. */
  name?: string | undefined;
  mime?: string | undefined;
  /** One line, at most 200 characters, that the window shows as your site's words. */
  note?: string | undefined;
}

export interface SignOptions extends AskOptions, CmsForm {}

export interface SignRawOptions extends TransferOptions {
  /** A certificate of {@link Persten.certificates}, its id, or its SHA-1 thumbprint. */
  certificate: Certificate | string;
  /** One the key can use, such as `rsa-pss-sha256`. */
  algorithm?: string | undefined;
  /** What the window calls the document. */
  name?: string | undefined;
  /** One line, at most 200 characters, that the window shows as your site's words. */
  note?: string | undefined;
}

export interface SignXmlOptions extends AskOptions, XmlForm {}

export interface SignBatchOptions extends BatchOptions {
  /** A certificate of {@link Persten.certificates}, its id, or its SHA-1 thumbprint. */
  certificate: Certificate | string;
  /** Put each document inside its signature. */
  attached?: boolean | undefined;
  /** One line, at most 200 characters, that the window shows as your site's words. */
  note?: string | undefined;
}

export interface SelectOptions extends CallOptions {
  /** What the key must be fit for; `sign` by default. */
  purpose?: 'sign' | 'login' | undefined;
  /** Whose certificate you need. Those that do not fit stand in the window with the reason; your page does not hear of them. */
  filter?: CertificateFilter | undefined;
  /** One line, at most 200 characters, that the window shows as your site's words. */
  note?: string | undefined;
}

export interface LoginOptions extends CallOptions {
  /** Whose key answers. Left out: the only one that fits, or the person chooses. */
  certificate?: Certificate | string | undefined;
  /** A certificate for signing documents that the token shall hold too. */
  signing?: Certificate | string | undefined;
  /** One line, at most 200 characters, that the window shows as your site's words. */
  note?: string | undefined;
}

/** What is known of every signature made. */
export interface Signed {
  /** Id of the certificate that signed. */
  certificate: string;
  signingTime: Date;
  /** Bytes of the document as it was given. */
  size: number;
}

/** A CAdES-BES signature. */
export interface SignedCms extends Signed {
  /** DER. */
  signature: Uint8Array<ArrayBuffer>;
  attached: boolean;
  /** Digest of the document as the person approved it, in lower hex. */
  digest: string;
  /** What the digest was made by, such as `sha256` or `streebog256`. */
  digestAlg: string;
}

/** A signed XML document. */
export interface SignedXml extends Signed {
  /** The document with the signature in it, or the signature with the document in it, in the encoding the document had. */
  document: Uint8Array<ArrayBuffer>;
}

interface PageOptions {
  /** Also make a page of the report for people, to save or to show. */
  page?: 'html' | 'pdf' | undefined;
}

export interface VerifyOptions extends TransferOptions, PageOptions {
  /** The document, when the signature does not hold it. */
  content?: Data | undefined;
  /** Its digest in place of the document, in lower hex, by `algorithm`, such as `streebog256`. */
  digest?: { readonly value: string; readonly algorithm: string } | undefined;
}

export interface VerifyXmlOptions extends TransferOptions, PageOptions {
  /** The attributes that count as Id beside `Id` itself: a name, or `{namespace}name`. */
  idAttributes?: readonly string[] | undefined;
}

export interface ListOptions extends CallOptions {
  /** Ask the tokens again instead of trusting what was read lately. */
  refresh?: boolean | undefined;
}

/** What can be listened to. */
export interface Events {
  /** A token was plugged in or pulled out; list certificates again. */
  'tokens.changed': () => void;
  /** The connection was lost; it is opened again by itself, and every call may be made at once. */
  disconnected: (reason: Reason) => void;
  /** The connection is there again. */
  connected: () => void;
}

const REOPEN_FIRST = 1_000;
const REOPEN_LAST = 30_000;

/**
 * A connection to the agent of the person in front of the page. Calls may run side by side. After a loss the next call opens
 * the connection again; calls that were running reject with `agent_lost` and are never repeated by themselves.
 */
export class Persten {
  private opening: Promise<Link> | undefined;
  private closed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Map<keyof Events, Set<(reason: Reason) => void>>();

  private constructor(private current: Link, private readonly options: ConnectOptions, private readonly lang: Lang) {
    this.adopt(current);
  }

  /** @internal Use {@link connect}. */
  static async open(o: ConnectOptions): Promise<Persten> {
    const lang = o.lang ?? pageLang();
    const opened = await link(o, lang);
    return new Persten(opened, { ...o, transport: opened.connection.kind, signal: undefined }, lang);
  }

  /** Version and abilities the agent told. */
  get agent(): Hello {
    return this.current.hello;
  }

  get transport(): 'extension' | 'websocket' {
    return this.current.connection.kind;
  }

  /** Certificates with a key on a token that is plugged in. Expired and unsuitable ones are there too, with the reason. */
  async certificates(o: ListOptions & { all?: boolean | undefined } = {}): Promise<Certificate[]> {
    const params: Params<'certificates.list'> = {};
    if (o.refresh !== undefined) params.refresh = o.refresh;
    if (o.all !== undefined) params.all = o.all;
    return (await this.call('certificates.list', params, o)).certificates;
  }

  async tokens(o: ListOptions = {}): Promise<Token[]> {
    const params: Params<'tokens.list'> = o.refresh === undefined ? {} : { refresh: o.refresh };
    return (await this.call('tokens.list', params, o)).tokens;
  }

  /** State of the agent, with what hinders it in words for the person. */
  status(o: CallOptions = {}): Promise<Status> {
    return this.call('agent.status', {}, o);
  }

  /**
   * Asks the person to sign data. Resolves when the signature is made and checked; rejects with `user_rejected` when the
   * person says no. Aborting closes the window, and nothing is signed.
   */
  async signCms(data: Data, o: SignOptions): Promise<SignedCms> {
    const attached = o.attached ?? false;
    const run = (more: Partial<Params<'sign.cms'>>) =>
      this.sign('sign.cms', data, o, { ...cmsParams(o), ...more }, (r) => r.signature);
    const { connection } = await this.ready(o.signal);
    const { bytes, result, ...signed } = await (o.addTo === undefined ? run({})
      : withContent(connection, toSource(o.addTo), { name: 'signature.p7s' }, o, (addTo) => run({ addTo })));
    return { ...signed, signature: bytes, attached, digest: result.digest ?? '', digestAlg: result.digestAlg ?? '' };
  }

  /**
   * Asks the person to sign a document and returns the bare signature value, without CMS around it. A ready digest, in lower hex, is
   * signed too, but the person cannot see what it is of, so your site needs a right of its own: the first call rejects with
   * `hidden_not_allowed`, and the person is asked.
   */
  async signRaw(data: Data | { readonly digest: string }, o: SignRawOptions): Promise<Result<'sign.raw'>> {
    const { algorithm, name, note } = o;
    const form = { certificate: idOf(o.certificate), ...(algorithm && { algorithm }), ...(name && { name }), ...(note && { note }) };
    if (typeof data === 'object' && 'digest' in data) return this.call('sign.raw', { ...form, digest: data.digest }, o);
    const { connection } = await this.ready(o.signal);
    return withContent(connection, toSource(data), { name: name ?? nameOf(data), certificate: form.certificate }, o, (content) =>
      connection.call('sign.raw', { ...form, content }, o));
  }

  /**
   * Asks the person to sign an XML document or elements of it; the window shows it as a tree with the part to be signed marked.
   * Everything outside the signature stays as it was, byte by byte. It ends as {@link Persten.signCms} does.
   */
  async signXml(data: Data, o: SignXmlOptions): Promise<SignedXml> {
    const { bytes, result: _, ...signed } = await this.sign('sign.xml', data, o, formParams(o), (r) => r.document);
    return { ...signed, document: bytes };
  }

  /**
   * Asks the person once to sign up to 1,000 documents, each on its own, with one PIN. Signatures come through `onItem` as they
   * are made, and all together in the account. Rejects when nothing was signed. Once something was, a token that is pulled out
   * or an aborted signal end the batch with an account that says what was signed, and `stopped` says why.
   */
  async signBatch(documents: readonly BatchDocument[], o: SignBatchOptions): Promise<BatchAccount> {
    const { connection } = await this.ready(o.signal);
    const form = { certificate: idOf(o.certificate), ...(o.attached && { attached: true }), ...(o.note && { note: o.note }) };
    return signBatch(connection, this.lang, documents, form, o);
  }

  /** Checks a signature made by anyone. Throws only when the signature cannot be read; what it found is in the result. */
  async verifyCms(signature: Data, o: VerifyOptions = {}): Promise<Verification> {
    const { connection } = await this.ready(o.signal);
    return withContent(connection, toSource(signature), { name: 'signature.p7s' }, o, async (given) => {
      const page = { ...(o.page && { page: o.page }), ...(o.digest && { digest: o.digest.value, digestAlg: o.digest.algorithm }) };
      if (o.content === undefined) return found(connection, await connection.call('verify.cms', { signature: given, ...page }, o), o);
      return withContent(connection, toSource(o.content), { name: nameOf(o.content) }, o, async (content) =>
        found(connection, await connection.call('verify.cms', { signature: given, content, ...page }, o), o));
    });
  }

  /**
   * Checks every XML signature in a document, made by anyone. `references` of a signer tell what the signature covers: believe
   * nothing outside of them. Throws when the document cannot be read or holds no signature.
   */
  async verifyXml(data: Data, o: VerifyXmlOptions = {}): Promise<Verification> {
    const { connection } = await this.ready(o.signal);
    const more = { ...(o.idAttributes && { idAttributes: [...o.idAttributes] }), ...(o.page && { page: o.page }) };
    return withContent(connection, toSource(data), { name: nameOf(data) }, o, async (content) =>
      found(connection, await connection.call('verify.xml', { content, ...more }, o), o));
  }

  /** Tells whether a certificate on a token is good now. `offline` asks nobody: the answer comes from what is kept on disk. */
  checkCertificate(certificate: Certificate | string, o: CallOptions & { offline?: boolean | undefined } = {}): Promise<CertificateStatus> {
    return this.call('certificates.check', { certificate: idOf(certificate), ...(o.offline && { offline: true }) }, o);
  }

  /**
   * Lets the person choose a certificate in a window of the agent; the only one that fits is taken without a question. Where none does
   * the window says why, and the call rejects with `certificate_none`.
   */
  async selectCertificate(o: SelectOptions = {}): Promise<Certificate> {
    const about = { ...(o.purpose && { purpose: o.purpose }), ...(o.filter && { filter: o.filter }), ...(o.note && { note: o.note }) };
    return (await this.call('certificates.select', about, o)).certificate;
  }

  /**
   * Asks the person to log in to your site and returns the token for your server, which checks it with `@persten/sdk/verify`. The
   * nonce comes from the server: base64 of at least 32 random octets, used once. It is bound to this page's origin by the browser.
   */
  login(nonce: string, o: LoginOptions = {}): Promise<LoginToken> {
    const { certificate, signing, note } = o;
    const about = { ...(certificate && { certificate: idOf(certificate) }), ...(signing && { signing: idOf(signing) }), ...(note && { note }) };
    return this.call('auth.respond', { nonce, ...about }, o);
  }

  /** Any method of the protocol by its name, typed. */
  async call<M extends Method>(method: M, params: Params<M>, o: CallOptions = {}): Promise<Result<M>> {
    return (await this.ready(o.signal)).connection.call(method, params, o);
  }

  /** Listens until the returned function is called. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
    return () => set.delete(listener);
  }

  /** Ends the connection for good: open windows close and nothing more is signed. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.current.connection.close();
  }

  /** Hands a document over, has it signed, and takes what was made. */
  private async sign<M extends 'sign.cms' | 'sign.xml'>(
    method: M, data: Data, o: AskOptions, form: Partial<Params<M>>, made: (r: Result<M>) => Content,
  ): Promise<Signed & { bytes: Uint8Array<ArrayBuffer>; result: Result<M> }> {
    const { connection } = await this.ready(o.signal);
    const source = toSource(data);
    const name = o.name ?? (data instanceof File ? data.name : undefined);
    const mime = o.mime ?? (source.type || undefined);
    return withContent(connection, source, { name: name ?? 'document', mime, certificate: idOf(o.certificate) }, o, async (content) => {
      const about = { ...(name && { name }), ...(mime && { mime }), ...(o.note && { note: o.note }) };
      const r = await connection.call(method, { certificate: idOf(o.certificate), content, ...about, ...form } as Params<M>, o);
      const bytes = await readContent(connection, made(r), o);
      return { bytes, result: r, certificate: r.certificate, signingTime: new Date(r.signingTime), size: source.size };
    });
  }

  private adopt(l: Link): void {
    this.current = l;
    l.connection.onnotification = (method) => {
      if (method === 'tokens.changed') this.emit('tokens.changed');
    };
    l.connection.onclose = (reason) => {
      this.emit('disconnected', reason);
      this.reopenLater(REOPEN_FIRST);
    };
  }

  private async ready(signal?: AbortSignal): Promise<Link> {
    signal?.throwIfAborted();
    if (this.closed || this.current.connection.alive) return this.current;
    this.opening ??= this.reopen().finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async reopen(): Promise<Link> {
    const opened = await link(this.options, this.lang);
    this.adopt(opened);
    if (this.closed) opened.connection.close();
    else this.emit('connected');
    return opened;
  }

  /** Only a page that listens needs the connection between its calls. */
  private reopenLater(after: number): void {
    if (this.closed || ![...this.listeners.values()].some((s) => s.size > 0)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.ready().catch(() => this.reopenLater(Math.min(after * 2, REOPEN_LAST)));
    }, after);
  }

  private emit(event: keyof Events, reason: Reason = { code: '' }): void {
    for (const f of this.listeners.get(event) ?? []) f(reason);
  }
}

function idOf(certificate: Certificate | string): string {
  return typeof certificate === 'string' ? certificate.toLowerCase() : certificate.id;
}

function nameOf(data: Data): string {
  return data instanceof File && data.name ? data.name : 'document';
}

/** Fetches the page of a report, which is a handle when it is large. */
async function found(c: Connection, { page, ...report }: Report, o: TransferOptions): Promise<Verification> {
  return page ? { ...report, page: await readContent(c, page, o) } : report;
}
