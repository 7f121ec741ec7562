// SPDX-License-Identifier: GPL-3.0-or-later
import {
  AGENT, ANNOUNCE, DISCOVER, fromThisWindow, isNonce, MESSAGE_LIMIT, nonce, parseObject, readReason, toAgent,
  type Announcement, type FromAgent, type Reason, type ToAgent,
} from '../sdk/wire.js';
import type { FromWorker, ToWorker } from './pipe.js';

/** Sessions a page may have open, and tickets it may hold unused. */
const SESSIONS = 16;
const TICKETS = 64;
/** A copy under another id answers this much later: a page takes the first answer, and that copy can only say why it may not. */
const YIELD = 100;

export interface Extension {
  version: string;
  /** Whether the native host takes calls from this extension's id. */
  known: boolean;
  /** Opens a port to the service worker; throws when the extension was updated under the page. */
  connect(): chrome.runtime.Port;
}

/**
 * The content script's whole work: it moves JSON texts between this window and the service worker and knows no method. It
 * says nothing about who is calling; the worker learns that from the browser. Until the page asks who is there it listens
 * for that question alone, and in a document without an origin of its own (sandboxed) not even for that.
 */
export function relay(page: Window & { origin: string }, extension: Extension): void {
  const tickets = new Set<string>();
  const sessions = new Map<string, Session>();
  let woken = false;
  if (page.origin !== page.location.origin) return;

  page.addEventListener(DISCOVER, (event) => {
    const asked = parseObject((event as CustomEvent<unknown>).detail)?.['nonce'];
    if (!isNonce(asked)) return;
    if (!woken) wake();
    woken = true;
    if (extension.known) announce(asked);
    else setTimeout(announce, YIELD, asked);
  });

  function announce(asked: string): void {
    const answer: Announcement = { agent: AGENT, version: extension.version, nonce: asked, ticket: issue(tickets) };
    page.dispatchEvent(new CustomEvent(ANNOUNCE, { detail: JSON.stringify(answer) }));
  }

  function wake(): void {
    page.addEventListener('message', (event) => {
      if (!fromThisWindow(event, page)) return;
      const m = toAgent(event.data);
      if (!m) return;
      if (m.kind !== 'open') sessions.get(m.session)?.receive(m);
      else if (m.n === 1 && tickets.delete(m.session)) open(m.session);
    });
    // A page that the browser keeps for "back" hears of it when it is shown again.
    page.addEventListener('pagehide', () => {
      for (const s of [...sessions.values()]) s.end({ code: 'agent_lost' });
    });
  }

  function open(id: string): void {
    const s = new Session(page, id, () => sessions.delete(id));
    if (sessions.size >= SESSIONS) s.end({ code: 'request_limit', args: { limit: String(SESSIONS) } });
    else {
      sessions.set(id, s);
      s.start(extension);
    }
  }
}

function issue(tickets: Set<string>): string {
  const oldest = tickets.values().next();
  if (tickets.size >= TICKETS && !oldest.done) tickets.delete(oldest.value);
  const ticket = nonce();
  tickets.add(ticket);
  return ticket;
}

/** One page session and its port. */
class Session {
  private port: chrome.runtime.Port | undefined;
  private received = 1;
  private sent = 0;
  private ended = false;

  constructor(private readonly page: Window, private readonly id: string, private readonly onend: () => void) {}

  start(extension: Extension): void {
    try {
      this.port = extension.connect();
    } catch {
      this.end({ code: 'extension_reloaded' });
      return;
    }
    this.port.onMessage.addListener((m: FromWorker) => {
      if (m.kind === 'rpc') this.post({ kind: 'rpc', body: m.body });
      else this.end(readReason(m.reason));
    });
    this.port.onDisconnect.addListener(() => this.end({ code: 'agent_lost' }));
  }

  receive(m: ToAgent): void {
    if (m.n !== this.received + 1) return;
    this.received = m.n;
    if (m.kind === 'close') this.end();
    else this.forward(m.body ?? '');
  }

  /** Ends the session; with a reason when the page is to hear of it. */
  end(reason?: Reason): void {
    if (this.ended) return;
    this.ended = true;
    this.onend();
    this.port?.disconnect();
    if (reason) this.post({ kind: 'close', reason });
  }

  private forward(body: string): void {
    if (body.length > MESSAGE_LIMIT) {
      this.end({ code: 'request_too_large', args: { limit: String(MESSAGE_LIMIT) } });
      return;
    }
    const message: ToWorker = { kind: 'rpc', body };
    try {
      this.port?.postMessage(message);
    } catch {
      this.end({ code: 'extension_reloaded' });
    }
  }

  private post(m: Pick<FromAgent, 'kind' | 'body' | 'reason'>): void {
    const message: FromAgent = { persten: 'from-agent', session: this.id, n: ++this.sent, ...m };
    this.page.postMessage(message, this.page.location.origin);
  }
}
