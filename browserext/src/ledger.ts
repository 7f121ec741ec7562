// SPDX-License-Identifier: GPL-3.0-or-later
import { isObject, type Reason } from '../sdk/wire.js';
import type { Caller } from './caller.js';
import type { Note } from './sites.js';

/** Requests of one channel without an answer. The agent works on fewer and answers the rest with an error at once. */
const PENDING = 256;
/** Of an id, in characters; the agent takes no longer ones. */
const ID = 128;

/** Requests worth a line in the popup: not those that only carry bytes or look after the connection. */
const NOTED = /^(?!agent\.|content\.)[a-z]{1,20}\.[A-Za-z]{1,20}$/;

/**
 * What one channel asked and what it was told. It bounds what a page may have open, so that a flood ends with its own channel,
 * and tells the popup's memory what came of it. It changes nothing on its way.
 */
export class Ledger {
  private readonly pending = new Map<string | number, string>();
  private cancels = 0;
  private said = '';

  constructor(private readonly caller: Caller, private readonly note: (note: Note) => unknown) {}

  /** Enters a message of the page; the reason when it is one too many. */
  asked(body: Record<string, unknown>): Reason | undefined {
    const { id, method } = body;
    const excess = { code: 'request_limit', args: { limit: String(PENDING) } };
    if (id === undefined) return this.cancels-- > 0 ? undefined : excess; // as many notifications as requests: each may be cancelled
    if ((typeof id !== 'string' && typeof id !== 'number') || String(id).length > ID || this.pending.has(id)) return { code: 'request_malformed' };
    if (this.pending.size >= PENDING) return excess;
    this.pending.set(id, typeof method === 'string' && NOTED.test(method) ? method : '');
    this.cancels++;
    return undefined;
  }

  /** Enters a message of the agent. */
  answered(body: Record<string, unknown>): void {
    const { id } = body;
    if (body['method'] !== undefined || (typeof id !== 'string' && typeof id !== 'number')) return;
    const data = isObject(body['error']) && isObject(body['error']['data']) ? body['error']['data'] : {};
    const code = body['error'] === undefined ? 'ok' : String(data['code']);
    this.standing(code, isObject(data['args']) ? data['args']['origin'] : undefined);
    this.request(id, code);
  }

  /** Every request without an answer ended with this code. */
  lost(code: string): void {
    for (const id of [...this.pending.keys()]) this.request(id, code);
  }

  private request(id: string | number, outcome: string): void {
    const method = this.pending.get(id) ?? '';
    this.pending.delete(id);
    const { origin, top } = this.caller;
    if (method) this.note({ site: top, request: { at: Date.now(), method, outcome, ...(origin === top ? {} : { frame: origin }) } });
  }

  /** A frame needs its own site and the one around it; the agent names the one that is not allowed. */
  private standing(code: string, named: unknown): void {
    const { origin, top } = this.caller;
    const said = `${code} ${String(named)}`;
    if (said === this.said || !/^https?:/.test(top)) return; // nothing new, or our popup
    this.said = said;
    if (origin !== top) this.note({ site: top, frame: origin });
    if (code === 'ok') for (const site of new Set([origin, top])) this.note({ site, standing: 'allowed' });
    const site = named === top ? top : origin;
    if (code === 'origin_not_allowed') this.note({ site, standing: 'unknown' });
    if (code === 'origin_denied') this.note({ site, standing: 'denied' });
  }
}
