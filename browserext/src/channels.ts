// SPDX-License-Identifier: GPL-3.0-or-later
import { isObject, MESSAGE_LIMIT, nonce, parseObject, type Reason } from '../sdk/wire.js';
import type { Caller } from './caller.js';
import type { Link } from './link.js';
import { Ledger } from './ledger.js';
import type { FromWorker } from './pipe.js';
import type { Sites } from './sites.js';

/** Channels of this browser profile; the agent refuses more. */
const CHANNELS = 256;
/** Those of one site and the frames inside its pages, so that no site takes them all. */
const SITE_CHANNELS = 64;

/** One page port as the agent sees it. */
interface Channel {
  port: chrome.runtime.Port;
  top: string;
  ledger: Ledger;
  parts: string[];
  length: number;
}

/**
 * Wraps every page port as a channel of the native port. Bodies pass through as they are; a ledger looks at requests and
 * answers to bound what is open, and for the popup.
 */
export class Channels {
  private readonly open = new Map<string, Channel>();

  constructor(private readonly link: Link, private readonly sites: Pick<Sites, 'note'>) {
    link.onmessage = (m) => this.receive(m);
    link.onlost = (reason) => {
      for (const ch of [...this.open.keys()]) this.close(ch, reason);
    };
  }

  /** Takes a port whose caller the browser vouches for. */
  accept(port: chrome.runtime.Port, caller: Caller): void {
    const reason = this.full(caller.top) ?? this.link.open();
    if (reason) {
      refuse(port, reason);
      return;
    }
    const ch = nonce();
    const secret = port.sender?.tab?.incognito === true; // of private windows nothing is kept
    const ledger = new Ledger(caller, (note) => secret || this.sites.note(note));
    this.open.set(ch, { port, top: caller.top, ledger, parts: [], length: 0 });
    port.onMessage.addListener((m: unknown) => this.forward(ch, m));
    port.onDisconnect.addListener(() => this.gone(ch));
    this.link.send({ ch, from: caller, kind: 'open' });
  }

  private full(top: string): Reason | undefined {
    const ofSite = [...this.open.values()].filter((c) => c.top === top).length;
    const limit = ofSite >= SITE_CHANNELS ? SITE_CHANNELS : this.open.size >= CHANNELS ? CHANNELS : undefined;
    return limit && { code: 'request_limit', args: { limit: String(limit) } };
  }

  private forward(ch: string, m: unknown): void {
    const c = this.open.get(ch);
    if (!c) return;
    const text = isObject(m) && m['kind'] === 'rpc' ? m['body'] : undefined;
    const body = parseObject(text);
    if (!body) {
      this.end(ch, { code: 'request_malformed' });
      return;
    }
    // Measured as it will be written: a number like 1e20 grows on the way, and nothing grows to more than six bytes a character.
    if ((text as string).length > MESSAGE_LIMIT / 6 && new TextEncoder().encode(JSON.stringify(body)).length > MESSAGE_LIMIT) {
      this.end(ch, { code: 'request_too_large', args: { limit: String(MESSAGE_LIMIT) } });
      return;
    }
    const excess = c.ledger.asked(body);
    if (excess) this.end(ch, excess);
    else if (!this.link.send({ ch, kind: 'rpc', body })) this.end(ch, { code: 'agent_lost' });
  }

  private receive(m: unknown): void {
    if (!isObject(m) || typeof m['ch'] !== 'string') return;
    const ch = m['ch'];
    const c = this.open.get(ch);
    if (!c) return;
    if (m['kind'] === 'rpc' && isObject(m['body'])) this.deliver(c, m['body']);
    else if (m['kind'] === 'part' && typeof m['body'] === 'string') this.join(ch, c, m['body'], m['more'] === true);
    else if (m['kind'] === 'close') this.close(ch, closing(m['body']));
    else this.end(ch, { code: 'protocol_violation' });
  }

  private join(ch: string, c: Channel, piece: string, more: boolean): void {
    c.parts.push(piece);
    c.length += piece.length;
    if (c.length > MESSAGE_LIMIT) {
      this.end(ch, { code: 'protocol_violation' });
      return;
    }
    if (more) return;
    const body = parseObject(c.parts.join(''));
    c.parts = [];
    c.length = 0;
    if (body) this.deliver(c, body);
    else this.end(ch, { code: 'protocol_violation' });
  }

  private deliver(c: Channel, body: Record<string, unknown>): void {
    c.ledger.answered(body);
    say(c.port, { kind: 'rpc', body: JSON.stringify(body) });
  }

  /** Ends a channel from here: the agent is told, and the page why. */
  private end(ch: string, reason: Reason): void {
    if (!this.open.has(ch)) return;
    this.link.send({ ch, kind: 'close' });
    this.close(ch, reason);
  }

  /** The agent's side is gone. */
  private close(ch: string, reason: Reason): void {
    const c = this.open.get(ch);
    if (!c) return;
    c.ledger.lost(reason.code);
    this.drop(ch);
    refuse(c.port, reason);
  }

  /** The page's side is gone: its prompts close and its content is freed. */
  private gone(ch: string): void {
    if (!this.open.has(ch)) return;
    this.link.send({ ch, kind: 'close' });
    this.drop(ch);
  }

  private drop(ch: string): void {
    this.open.delete(ch);
    if (this.open.size === 0) this.link.release();
  }
}

/** Says why and hangs up. */
export function refuse(port: chrome.runtime.Port, reason: Reason): void {
  say(port, { kind: 'close', reason });
  port.disconnect();
}

function say(port: chrome.runtime.Port, m: FromWorker): void {
  try {
    port.postMessage(m);
  } catch {
    // The page went away between two events; its onDisconnect cleans up.
  }
}

/** The words a host or session gives with a close, as codes of the catalogue. */
const closings: Record<string, string> = {
  limit: 'request_limit', too_large: 'request_too_large', malformed: 'request_malformed', origin: 'origin_invalid',
};

function closing(body: unknown): Reason {
  return { code: (typeof body === 'string' && Object.hasOwn(closings, body) && closings[body]) || 'agent_lost' };
}
