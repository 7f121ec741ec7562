// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64 } from '../../../sdk/content.js';
import type { Certificate, Token } from '../../proto.gen.js';
import type { Agent } from '../agent.js';
import { parse, type X509 } from '../x509.js';
import { RutokenError } from './errors.js';
import { colons, unhexed } from './text.js';

/** A certificate with its key, as the page names both. */
export interface Held {
  id: string;
  key: string;
  listed: Certificate;
  x509: X509;
}

/** The tokens, by the numbers the page knows them by. A number stays with its token as long as the page is there. */
export class Tokens {
  private readonly seen: Token[] = [];
  private present = new Set<number>();
  private readonly entered = new Set<number>();

  constructor(private readonly agent: Agent) {}

  async list(): Promise<number[]> {
    const { tokens } = await this.agent.call('tokens.list', {});
    this.present = new Set(tokens.map((t) => this.number(t)));
    for (const n of this.entered) if (!this.present.has(n)) this.entered.delete(n);
    return [...this.present];
  }

  /** What came and went since the last time. */
  async events(): Promise<{ connected: number[]; disconnected: number[] }> {
    const before = this.present;
    const now = await this.list();
    return { connected: now.filter((n) => !before.has(n)), disconnected: [...before].filter((n) => !this.present.has(n)) };
  }

  async get(device: unknown): Promise<Token> {
    const n = Number(device);
    if (!this.present.has(n)) await this.list();
    const token = this.seen[n];
    if (!this.present.has(n) || !token) throw new RutokenError('DEVICE_NOT_FOUND');
    return token;
  }

  /** Pages want to log in before they do anything. The real login is in the agent's window, for each signature. */
  async enter(device: unknown, on: boolean): Promise<void> {
    await this.get(device);
    if (on) this.entered.add(Number(device));
    else this.entered.delete(Number(device));
  }

  isEntered(device: unknown): boolean {
    return this.entered.has(Number(device));
  }

  async certificates(device: unknown): Promise<Held[]> {
    const { label } = await this.get(device);
    return (await this.agent.certificates()).filter((c) => c.token.label === label).flatMap((listed) => {
      try {
        return [{ id: colons(unhexed(listed.thumbprint)), key: colons(unhexed(listed.id)), listed, x509: parse(fromBase64(listed.der)) }];
      } catch {
        return []; // one that cannot be shown hides no other
      }
    });
  }

  async certificate(device: unknown, id: unknown): Promise<Held> {
    const found = (await this.certificates(device)).find((c) => c.id === String(id).toLowerCase());
    if (!found) throw new RutokenError('CERTIFICATE_NOT_FOUND');
    return found;
  }

  async key(device: unknown, id: unknown): Promise<Held> {
    const found = (await this.certificates(device)).find((c) => c.key === String(id).toLowerCase());
    if (!found) throw new RutokenError('KEY_NOT_FOUND');
    return found;
  }

  private number(t: Token): number {
    const found = this.seen.findIndex((s) => s.label === t.label && s.model === t.model && s.manufacturer === t.manufacturer);
    return found >= 0 ? found : this.seen.push(t) - 1;
  }
}
