// SPDX-License-Identifier: GPL-3.0-or-later
import { link, type Link } from '../../sdk/connect.js';
import { drop, fromBase64, toBase64 } from '../../sdk/content.js';
import { PerstenError } from '../../sdk/errors.js';
import type { Method, Params, Result } from '../../sdk/rpc.js';
import { sleep } from '../../sdk/transport.js';
import type { Certificate, Content, Report } from '../proto.gen.js';

/** Of a document on its way to the agent. */
const PIECE = 512 * 1024;
/** Appends under way at a time. */
const APPENDS = 4;
const INLINE = 256 * 1024;
const READ = 512 * 1024;
/** A page that was not written for us asks once: the answer waits while the person is asked for the right to sign unseen. */
const ASK_EVERY = 2_000;
const ASK_WITHIN = 120_000;

/**
 * A face's way to the agent: the relay of this very window, as for any page that uses the SDK, so that a face is nothing more
 * than its page to the agent. It is opened when first needed, and again after it was lost.
 */
export class Agent {
  private opening: Promise<Link> | undefined;

  /** Client names the face in the agent's log. */
  constructor(private readonly client: string) {}

  /** Whether there is an agent at all. A site nobody has decided about counts: the person is being asked. */
  async there(): Promise<boolean> {
    try {
      await this.open(false);
      return true;
    } catch (e) {
      return e instanceof PerstenError && e.code === 'origin_not_allowed';
    }
  }

  /** Calls a method of the protocol. */
  call<M extends Method>(method: M, params: object): Promise<Result<M>> {
    return patiently(async () => (await this.open()).connection.call(method, params as Params<M>));
  }

  /** Calls a method that asks the person, until signal says that nobody waits any longer. */
  ask<M extends Method>(method: M, params: Params<M>, signal: AbortSignal): Promise<Result<M>> {
    return patiently(async () => (await this.open()).connection.call(method, params, { signal }));
  }

  /** The agent's version. */
  async version(): Promise<string> {
    return (await this.open()).hello.version;
  }

  async certificates(): Promise<Certificate[]> {
    return (await this.call('certificates.list', { all: true })).certificates;
  }

  /** Has a document, or a digest alone, signed as CMS; params are those of sign.cms. */
  async signCms(params: object): Promise<Uint8Array<ArrayBuffer>> {
    return this.take((await this.call('sign.cms', params)).signature);
  }

  /** The bare signature of a document, or of a digest; params are those of sign.raw. */
  async signRaw(params: object): Promise<Uint8Array<ArrayBuffer>> {
    return fromBase64((await this.call('sign.raw', params)).signature);
  }

  /** Has a CMS signature verified; more is the document, or its digest. */
  verifyCms(signature: Uint8Array, more: { content?: Content } | { digest: string; digestAlg: string } = {}): Promise<Report> {
    return this.give(signature, SIGNATURE, (given) => this.call('verify.cms', { signature: given, ...more }));
  }

  /** Runs use with bytes handed over. */
  async give<T>(bytes: Uint8Array, about: About, use: (content: Content) => Promise<T>): Promise<T> {
    if (bytes.length <= INLINE) return use({ inline: toBase64(bytes) });
    const spool = await Spool.open(this, about);
    try {
      await spool.add(bytes);
      await spool.close();
      return await use(spool.content);
    } finally {
      spool.drop();
    }
  }

  /** Takes bytes the agent returned. */
  async take(content: Content): Promise<Uint8Array<ArrayBuffer>> {
    if (content.inline !== undefined) return fromBase64(content.inline);
    const { handle } = content;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let offset = 0, eof = false; !eof; ) {
      const r = await this.call('content.read', { handle, offset, length: READ });
      const piece = fromBase64(r.data);
      pieces.push(piece);
      offset += piece.length;
      eof = r.eof || piece.length === 0;
    }
    this.forget(handle);
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  }

  forget(handle: string): void {
    void this.opening?.then(({ connection }) => drop(connection, handle), () => undefined);
  }

  private open(wait = true): Promise<Link> {
    const opening = (this.opening ?? Promise.reject()).then((l) => {
      if (!l.connection.alive) throw new Error('lost');
      return l;
    });
    const opened = opening.catch(() => link({ transport: 'extension', client: this.client, retryOrigin: wait }, 'ru'));
    this.opening = opened;
    opened.catch(() => undefined); // whoever asked hears of it
    return opened;
  }
}

async function patiently<T>(f: () => Promise<T>): Promise<T> {
  for (const until = Date.now() + ASK_WITHIN; ; await sleep(ASK_EVERY)) {
    try {
      return await f();
    } catch (e) {
      if (!(e instanceof PerstenError) || e.code !== 'hidden_not_allowed' || Date.now() >= until) throw e;
    }
  }
}

/** How a signature that is handed over is called. */
export const SIGNATURE: About = { name: 'signature.p7s' };

/** How a document is shown to the person. */
export interface About {
  name: string;
  mime?: string | undefined;
  digestAlg?: string | undefined;
  certificate?: string | undefined;
}

/** A document that a page gives piece by piece. It lies with the agent, on disk, so its size does not matter here. */
export class Spool {
  size = 0;
  private readonly under: Promise<unknown>[] = [];

  private constructor(private readonly agent: Agent, private readonly handle: string) {}

  static async open(agent: Agent, { name, mime, digestAlg, certificate }: About): Promise<Spool> {
    const params = { name, ...(mime && { mime }), ...(digestAlg && { digestAlg }), ...(certificate && { certificate }) };
    return new Spool(agent, (await agent.call('content.open', params)).handle ?? '');
  }

  get content(): Content {
    return { handle: this.handle };
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      this.size += piece.length;
      const call = this.agent.call('content.append', { handle: this.handle, data: toBase64(piece), size: this.size });
      call.catch(() => undefined); // it is met when its turn comes
      this.under.push(call);
      if (this.under.length === APPENDS) await this.under.shift();
    }
  }

  /** Seals it; resolves to its digest, upper hex, when digestAlg names one. */
  async close(digestAlg?: string): Promise<string> {
    await Promise.all(this.under.splice(0));
    const r = await this.agent.call('content.close', { handle: this.handle, ...(digestAlg && { digestAlg }) });
    return (r.digest ?? '').toUpperCase();
  }

  drop(): void {
    this.agent.forget(this.handle);
  }
}

const LOOK = 4096;

/** What a document seems to be, so that the person is shown it as that. */
export function mimeOf(bytes: Uint8Array): string | undefined {
  const head = bytes.subarray(0, LOOK);
  const starts = String.fromCharCode(...head.subarray(0, 64)).replace(/^\u00ef\u00bb\u00bf/, '').trimStart();
  if (starts.startsWith('%PDF-')) return 'application/pdf';
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: bytes.length > LOOK });
    if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) return undefined;
    return starts.startsWith('<') && !/^<!doctype html|^<html/i.test(starts) ? 'application/xml' : 'text/plain';
  } catch {
    return undefined;
  }
}
