// SPDX-License-Identifier: GPL-3.0-or-later
import type { Spool } from '../agent.js';

/** Documents kept at a time; the agent has room for 64 of a page. */
const KEPT = 16;

/**
 * What the page had hashed lately. A portal often hashes a document in one object and hands the digest to another: the document
 * is still there then, and the person can be shown it.
 */
export class Digests {
  private readonly kept = new Map<string, Spool>();

  /** Keeps a sealed document by its digest. */
  keep(algorithm: string, digest: string, spool: Spool): void {
    const key = `${algorithm}:${digest}`;
    const before = this.kept.get(key);
    this.kept.delete(key);
    this.kept.set(key, spool);
    if (before && before !== spool) before.drop();
    const [oldest] = this.kept;
    if (this.kept.size > KEPT && oldest) {
      this.kept.delete(oldest[0]);
      oldest[1].drop();
    }
  }

  find(algorithm: string, digest: string): Spool | undefined {
    return this.kept.get(`${algorithm}:${digest}`);
  }
}
