// SPDX-License-Identifier: MIT
import type { ErrorCode } from '../src/proto.gen.js';
import { TEXTS, type ClientCode } from './texts.gen.js';
import { isObject, strings, type Reason } from './wire.js';

/** Language of texts. */
export type Lang = 'ru' | 'en';

/** Every code a portal can meet. Newer agents may send codes this SDK has not heard of. */
export type Code = ErrorCode | (string & {});

/** The error of this SDK. An aborted call rejects with its signal's own reason instead, as `fetch` does. */
export class PerstenError extends Error {
  override readonly name = 'PerstenError';
  /** Stable; what to decide by. */
  readonly code: Code;
  /** Details, such as `attempts` of pin_incorrect. */
  readonly args: Readonly<Record<string, string>>;
  /** What the person can do now, in the language of the connection; may be empty. */
  readonly advice: string;

  constructor(reason: Reason, lang: Lang = 'en') {
    const own = Object.hasOwn(TEXTS, reason.code) ? TEXTS[reason.code as ClientCode][lang] : undefined;
    const words = (template: string | undefined): string | undefined => template && fill(template, reason.args ?? {});
    super(reason.text ?? words(own?.what) ?? reason.code);
    this.code = reason.code;
    this.args = Object.freeze({ ...reason.args });
    this.advice = reason.next ?? words(own?.next) ?? '';
  }

  /** What happened, in the language of the connection: the message. */
  get text(): string {
    return this.message;
  }
}

/** Puts args in the {name} places of a text; a [[clause]] with one that is not known is left out. The agent's rules. */
export function fill(template: string, args: Readonly<Record<string, string>>): string {
  const value = (name: string): string => args[name] ?? '';
  const put = (text: string): string => text.replace(/\{(\w+)\}/g, (_, name: string) => value(name));
  const known = (text: string): boolean => Array.from(text.matchAll(/\{(\w+)\}/g), (m) => value(m[1] ?? '')).every((v) => v !== '' && v !== '-1');
  return template.split(/\[\[(.*?)\]\]/).map((text, i) => (i % 2 === 0 || known(text) ? put(text) : '')).join('');
}

/** Reads the error member of a JSON-RPC answer. */
export function reasonOf(error: unknown): Reason {
  if (!isObject(error)) return { code: 'protocol_violation' };
  const data = isObject(error['data']) ? error['data'] : {};
  if (typeof data['code'] !== 'string') return { code: 'internal', text: String(error['message'] ?? 'internal error') };
  const reason: Reason = { code: data['code'] };
  if (isObject(data['args'])) reason.args = strings(data['args']);
  if (typeof data['text'] === 'string') reason.text = data['text'];
  else if (typeof error['message'] === 'string') reason.text = error['message'];
  if (typeof data['next'] === 'string') reason.next = data['next'];
  return reason;
}
