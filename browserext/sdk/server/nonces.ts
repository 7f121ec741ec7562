// SPDX-License-Identifier: MIT

/**
 * Where a server keeps the challenge of each browser session until it is answered. Taking one removes it, whatever comes of the
 * answer: so a token counts once. Several servers need a shared store whose `take` is atomic.
 */
export interface NonceStore {
  /** Keeps the challenge of a session, in place of an older one, for so many milliseconds. */
  put(session: string, nonce: string, ttl: number): Promise<void>;
  /** Removes the challenge of a session and returns it; undefined when there is none or it is too old. */
  take(session: string): Promise<string | undefined>;
}

/** A store for one process. The oldest challenges go when there are too many. */
export class MemoryNonces implements NonceStore {
  private readonly kept = new Map<string, { nonce: string; until: number }>();

  constructor(private readonly most = 100_000, private readonly now: () => number = Date.now) {}

  async put(session: string, nonce: string, ttl: number): Promise<void> {
    this.kept.delete(session);
    this.kept.set(session, { nonce, until: this.now() + ttl });
    for (const [name, { until }] of this.kept) {
      if (this.kept.size <= this.most && until > this.now()) break;
      this.kept.delete(name);
    }
  }

  async take(session: string): Promise<string | undefined> {
    const found = this.kept.get(session);
    this.kept.delete(session);
    return found && found.until > this.now() ? found.nonce : undefined;
  }
}
