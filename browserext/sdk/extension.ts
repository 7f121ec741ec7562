// SPDX-License-Identifier: MIT
import {
  AGENT, ANNOUNCE, DISCOVER, fromAgent, fromThisWindow, isNonce, nonce, parseObject,
  type Announcement, type FromAgent, type Reason, type ToAgent,
} from './wire.js';
import type { Transport } from './transport.js';

/** How long an extension has to announce itself. */
export const ANNOUNCE_WITHIN = 400;

/** Asks for agents on this page; the first Persten that answers our nonce, or undefined after the time is up. */
export function discover(page: Window, within = ANNOUNCE_WITHIN): Promise<Announcement | undefined> {
  const asked = nonce();
  return new Promise((resolve) => {
    const finish = (found?: Announcement): void => {
      clearTimeout(timer);
      page.removeEventListener(ANNOUNCE, listen);
      resolve(found);
    };
    const listen = (event: Event): void => {
      const found = readAnnouncement((event as CustomEvent<unknown>).detail);
      if (found?.nonce === asked && found.agent === AGENT) finish(found);
    };
    const timer = setTimeout(finish, within);
    page.addEventListener(ANNOUNCE, listen);
    page.dispatchEvent(new CustomEvent(DISCOVER, { detail: JSON.stringify({ nonce: asked }) }));
  });
}

function readAnnouncement(detail: unknown): Announcement | undefined {
  const v = parseObject(detail);
  if (!v || !isNonce(v['nonce']) || !isNonce(v['ticket'])) return undefined;
  const { agent, version, nonce: answered, ticket } = v;
  if (typeof agent !== 'string' || typeof version !== 'string') return undefined;
  return { agent, version, nonce: answered, ticket };
}

/** The way through the extension: window messages to the content script that gave the ticket. */
export class ExtensionTransport implements Transport {
  readonly kind = 'extension';
  onmessage: (text: string) => void = () => undefined;
  onclose: (reason: Reason) => void = () => undefined;
  private sent = 0;
  private received = 0;
  private open = true;
  private readonly listen = (event: MessageEvent): void => this.receive(event);

  constructor(private readonly page: Window, private readonly session: string) {
    page.addEventListener('message', this.listen);
    this.post('open');
  }

  send(text: string): void {
    if (this.open) this.post('rpc', text);
  }

  close(): void {
    if (!this.open) return;
    this.post('close');
    this.end();
  }

  private post(kind: ToAgent['kind'], body?: string): void {
    const message: ToAgent = { persten: 'to-agent', session: this.session, n: ++this.sent, kind };
    if (body !== undefined) message.body = body;
    this.page.postMessage(message, this.page.location.origin);
  }

  private receive(event: MessageEvent): void {
    if (!fromThisWindow(event, this.page)) return;
    const m = fromAgent(event.data);
    if (!m || m.session !== this.session || m.n !== this.received + 1) return;
    this.received = m.n;
    this.deliver(m);
  }

  private deliver(m: FromAgent): void {
    if (m.kind === 'rpc') {
      this.onmessage(m.body ?? '');
      return;
    }
    this.end();
    this.onclose(m.reason ?? { code: 'agent_lost' });
  }

  private end(): void {
    this.open = false;
    this.page.removeEventListener('message', this.listen);
  }
}
