// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64, toBase64 } from '../../../sdk/content.js';
import { fromThisWindow, isObject } from '../../../sdk/wire.js';
import type { Agent } from '../agent.js';
import { failure, Fault } from './errors.js';
import { algorithmsOf, Keys } from './keys.js';

/** The version of Web eID's messages this face speaks; libraries of a later major expect more. */
const VERSION = '2.0.0';
const MAJOR = 2;

/** Another extension that answers does so at once; it goes first. A page waits a second. */
const OTHERS_FIRST = 100;
const USER_WITHIN = 120_000;
/** Timers count no further, and end at once when they are told to. */
const TIMER_MOST = 2 ** 31 - 1;
/** Of one member of a request, in characters: Web eID's own bound of a whole message. */
const MEMBER = 8192;

const ACTIONS = ['status', 'authenticate', 'get-signing-certificate', 'sign'] as const;
type Action = (typeof ACTIONS)[number];
type Request = Record<string, unknown>;

/** Answers Web eID's messages on a window. */
export class WebEidFace {
  private readonly keys: Keys;
  private readonly pending = new Set<Action>();
  /** Acknowledgements of ours that the window has not heard yet; one more is another extension's. */
  private readonly acknowledged = new Map<string, number>();
  /** Another extension answers on this page. */
  private yielded = false;

  constructor(private readonly page: Window, private readonly agent: Agent) {
    this.keys = new Keys(agent);
    page.addEventListener('message', (e) => {
      if (fromThisWindow(e, page) && isObject(e.data) && typeof e.data['action'] === 'string') this.hear(e.data['action'], e.data);
    });
  }

  private hear(name: string, request: Request): void {
    if (!name.startsWith('web-eid:')) return;
    const action = ACTIONS.find((a) => name === `web-eid:${a}`);
    if (action) void this.take(action, request);
    else if (name.endsWith('-ack')) this.heardAck(name);
  }

  private heardAck(name: string): void {
    const ours = this.acknowledged.get(name) ?? 0;
    if (ours > 0) this.acknowledged.set(name, ours - 1);
    else this.yielded = true;
  }

  private async take(action: Action, request: Request): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, OTHERS_FIRST));
    if (this.yielded) return;
    if (this.pending.has(action)) {
      this.fail(action, new Fault('ACTION_PENDING', 'the same action is pending already'));
      return;
    }
    this.pending.add(action);
    try {
      if (!this.page.isSecureContext) throw new Fault('CONTEXT_INSECURE', 'the page is not a secure context');
      this.acknowledge(action);
      const answer = await this.answer(action, request);
      this.send({ action: `web-eid:${action}-success`, ...answer });
    } catch (e) {
      this.fail(action, e);
    } finally {
      this.pending.delete(action);
    }
  }

  private async answer(action: Action, request: Request): Promise<object> {
    checkVersion(request['libraryVersion']);
    if (action === 'status') return this.status(request);
    const options = isObject(request['options']) ? request['options'] : {};
    const wait = options['userInteractionTimeout'];
    const late = new Fault('USER_TIMEOUT', 'the person did not answer in time');
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(late), typeof wait === 'number' && wait > 0 ? Math.min(wait, TIMER_MOST) : USER_WITHIN);
    try {
      if (action === 'authenticate') return await this.authenticate(request, options, end.signal);
      return await (action === 'sign' ? this.sign(request, end.signal) : this.certificate(end.signal));
    } finally {
      clearTimeout(timer);
    }
  }

  private async status(request: Request): Promise<object> {
    const agent = (await this.agent.version()).replace(/[^0-9A-Za-z.-]/g, '-');
    return { library: request['libraryVersion'], extension: VERSION, nativeApp: `${VERSION}+persten.${agent}` };
  }

  private authenticate(request: Request, options: Request, signal: AbortSignal): Promise<object> {
    const lang = options['lang'];
    const about = lang === 'ru' || lang === 'en' ? { lang } as const : {};
    return this.agent.ask('auth.respond', { nonce: text(request, 'challengeNonce'), ...about }, signal);
  }

  private async certificate(signal: AbortSignal): Promise<object> {
    const chosen = await this.keys.choose(signal);
    return { certificate: chosen.der, supportedSignatureAlgorithms: algorithmsOf(chosen) };
  }

  private async sign(request: Request, signal: AbortSignal): Promise<object> {
    const [certificate, hash, hashFunction] = [text(request, 'certificate'), text(request, 'hash'), text(request, 'hashFunction')];
    const made = await this.keys.sign(octets(certificate), hashFunction, octets(hash), undefined, signal);
    return { signature: toBase64(made.signature), signatureAlgorithm: made.algorithm };
  }

  private acknowledge(action: Action): void {
    const name = `web-eid:${action}-ack`;
    this.acknowledged.set(name, (this.acknowledged.get(name) ?? 0) + 1);
    this.send({ action: name });
  }

  private fail(action: Action, e: unknown): void {
    this.send({ action: `web-eid:${action}-failure`, error: failure(e) });
  }

  private send(message: object): void {
    this.page.postMessage(message, this.page.location.origin);
  }
}

function checkVersion(given: unknown): void {
  const major = typeof given === 'string' && /^(\d{1,4})\.\d{1,4}\.\d{1,4}([-+][\w.+-]{1,64})?$/.exec(given)?.[1];
  if (!major) throw new Fault('VERSION_INVALID', 'libraryVersion is not a version');
  if (Number(major) > MAJOR) throw new Fault('VERSION_MISMATCH', `Persten speaks version ${VERSION} of Web eID's messages`);
}

function text(request: Request, name: string): string {
  const value = request[name];
  if (typeof value !== 'string' || value === '') throw new Fault('MISSING_PARAMETER', `${name} is missing`);
  if (value.length > MEMBER) throw new Fault('NATIVE_INVALID_ARGUMENT', `${name} is too long`);
  return value;
}

function octets(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return fromBase64(base64);
  } catch {
    throw new Fault('NATIVE_INVALID_ARGUMENT', 'not base64');
  }
}
