// SPDX-License-Identifier: GPL-3.0-or-later
import { mimeOf, Spool } from '../agent.js';
import { unhex } from '../der.js';
import { digestsOf } from '../algorithms.js';
import { Remote } from '../model.js';
import { decode } from './bytes.js';
import type { Certificate } from './certificate.js';
import { fault } from './errors.js';
import type { Face } from './face.js';

/** CADESCOM_HASH_ALGORITHM: the agent's name, and the length in bytes. MD2, MD4 and MD5 are not made. */
const ALGORITHMS: Record<number, [name: string, size: number]> = {
  0: ['sha1', 20], 4: ['sha256', 32], 5: ['sha384', 48], 6: ['sha512', 64],
  100: ['gost94', 32], 101: ['streebog256', 32], 102: ['streebog512', 64],
};
const GOST94 = 100;

/** What a page forgets is dropped with the agent as well. What was kept for its digest is not: others may sign it yet. */
const forgotten = new FinalizationRegistry<() => void>((drop) => drop());

/**
 * Data to be hashed. The bytes are not hashed here: they go to the agent piece by piece, which keeps the document, so that the
 * person is shown what is signed, and its size is limited by nothing in the browser.
 */
export class HashedData extends Remote {
  private algorithm = GOST94;
  private encoding: unknown = 0;
  private spool: Spool | undefined;
  private digest: string | undefined;

  constructor(private readonly face: Face) {
    super();
  }

  get Algorithm(): number { return this.algorithm; }

  set Algorithm(v: unknown) {
    if (Number(v) in ALGORITHMS) this.algorithm = Number(v);
    else throw fault(Number(v) >= 0 && Number(v) <= 112 ? 'notImplemented' : 'parameter');
    this.reset();
  }

  get DataEncoding(): unknown { return this.encoding; }
  set DataEncoding(v: unknown) { this.encoding = v; }

  /** For keyed hashes, which are not made. */
  set Key(_: unknown) {
    throw fault('notImplemented');
  }

  async Hash(data: unknown): Promise<void> {
    const bytes = decode(data, this.encoding);
    if (this.digest !== undefined) this.reset();
    this.spool ??= await this.start(bytes);
    await this.spool.add(bytes);
  }

  SetHashValue(value: unknown): void {
    const bytes = unhex(String(value).replace(/\s/g, ''));
    if (bytes?.length !== this.size) throw fault('parameter');
    this.reset();
    this.digest = String(value).replace(/\s/g, '').toUpperCase();
  }

  get Value(): Promise<string> {
    return this.finish();
  }

  /** The agent's name of the algorithm. */
  get name(): string {
    return ALGORITHMS[this.algorithm]?.[0] ?? '';
  }

  /** Ends the hashing; resolves to the digest in upper hex. */
  async finish(): Promise<string> {
    if (this.digest !== undefined) return this.digest;
    if (!this.spool) throw fault('parameter');
    const { spool } = this;
    this.digest = await spool.close(this.name);
    forgotten.unregister(this);
    this.face.digests.keep(this.name, this.digest, spool);
    return this.digest;
  }

  /** The document behind the digest, when this page gave it to us, here or to another of these objects. */
  async document(): Promise<Spool | undefined> {
    return this.face.digests.find(this.name, await this.finish());
  }

  /** The signature algorithm of a certificate's key that fits the digest. Throws when none does. */
  fit(c: Certificate): string {
    const found = digestsOf(c.x509)[this.name];
    if (!found) throw fault('parameter', 'Алгоритм хэширования не подходит к ключу сертификата');
    return found;
  }

  private get size(): number {
    return ALGORITHMS[this.algorithm]?.[1] ?? 0;
  }

  private async start(first: Uint8Array): Promise<Spool> {
    const spool = await Spool.open(this.face.agent, { name: 'Документ', mime: mimeOf(first), digestAlg: this.name });
    forgotten.register(this, () => spool.drop(), this);
    return spool;
  }

  private reset(): void {
    if (this.spool && this.digest === undefined) this.spool.drop();
    forgotten.unregister(this);
    this.spool = undefined;
    this.digest = undefined;
  }
}
