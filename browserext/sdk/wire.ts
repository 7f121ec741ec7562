// SPDX-License-Identifier: MIT

/**
 * What a page and the extension's content script say to each other.
 *
 * Discovery is a pair of events on `window`: the page asks with a fresh nonce, every agent present answers with that nonce and
 * a ticket of its own. A ticket opens one session once. From then on both sides use `postMessage`, and count: a message that
 * does not carry the session's number and exactly the next `n` is dropped. Bodies are JSON text, so that neither side ever
 * handles an object made by the other.
 */

/** Name of the agent in announcements, and of the native messaging host. */
export const AGENT = 'persten.agent';

/** The page asks who is there. Detail: {@link Discovery} as JSON. */
export const DISCOVER = 'persten:discover';

/** An agent answers. Detail: {@link Announcement} as JSON. */
export const ANNOUNCE = 'persten:announce';

/** Longest message, in UTF-16 units of its JSON text. */
export const MESSAGE_LIMIT = 4 * 1024 * 1024 - 64 * 1024;

export interface Discovery {
  nonce: string;
}

export interface Announcement {
  agent: string;
  version: string;
  nonce: string;
  ticket: string;
}

/** Why a session ended. `text` and `next` are given when the agent itself said so. */
export interface Reason {
  code: string;
  args?: Record<string, string>;
  text?: string;
  next?: string;
}

export interface ToAgent {
  persten: 'to-agent';
  session: string;
  n: number;
  kind: 'open' | 'rpc' | 'close';
  body?: string;
}

export interface FromAgent {
  persten: 'from-agent';
  session: string;
  n: number;
  kind: 'rpc' | 'close';
  body?: string;
  reason?: Reason;
}

/** 128 random bits in lower-case hex. */
export function nonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Whether s looks like a {@link nonce}. */
export function isNonce(s: unknown): s is string {
  return typeof s === 'string' && /^[0-9a-f]{32}$/.test(s);
}

/**
 * Whether a message event came from this very window: not from a frame, an opener or a worker, and not from a document that
 * was here before a navigation.
 */
export function fromThisWindow(event: MessageEvent, page: Window): boolean {
  return event.isTrusted && event.source === page && event.origin === page.location.origin && event.origin !== 'null';
}

export function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** Parses JSON text to an object; undefined when it is anything else. */
export function parseObject(text: unknown): Record<string, unknown> | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const v: unknown = JSON.parse(text);
    return isObject(v) ? v : undefined;
  } catch {
    return undefined;
  }
}

function counted(v: Record<string, unknown>): boolean {
  return isNonce(v['session']) && Number.isSafeInteger(v['n']);
}

/** Reads a message meant for the agent; undefined when it is not one. */
export function toAgent(data: unknown): ToAgent | undefined {
  if (!isObject(data) || data['persten'] !== 'to-agent' || !counted(data)) return undefined;
  const { session, n, kind, body } = data as { session: string; n: number; kind: unknown; body: unknown };
  if (kind === 'rpc') return typeof body === 'string' ? { persten: 'to-agent', session, n, kind, body } : undefined;
  return kind === 'open' || kind === 'close' ? { persten: 'to-agent', session, n, kind } : undefined;
}

/** Reads a message from the agent; undefined when it is not one. */
export function fromAgent(data: unknown): FromAgent | undefined {
  if (!isObject(data) || data['persten'] !== 'from-agent' || !counted(data)) return undefined;
  const { session, n, kind, body } = data as { session: string; n: number; kind: unknown; body: unknown };
  if (kind === 'rpc') return typeof body === 'string' ? { persten: 'from-agent', session, n, kind, body } : undefined;
  if (kind !== 'close') return undefined;
  return { persten: 'from-agent', session, n, kind, reason: readReason(data['reason']) };
}

/** Reads a reason defensively; anything unreadable is agent_lost. */
export function readReason(v: unknown): Reason {
  if (!isObject(v) || typeof v['code'] !== 'string') return { code: 'agent_lost' };
  const reason: Reason = { code: v['code'] };
  if (isObject(v['args'])) reason.args = strings(v['args']);
  if (typeof v['text'] === 'string') reason.text = v['text'];
  if (typeof v['next'] === 'string') reason.next = v['next'];
  return reason;
}

/** The members of v that are strings. */
export function strings(v: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(v).filter((e): e is [string, string] => typeof e[1] === 'string'));
}
