// SPDX-License-Identifier: GPL-3.0-or-later
import { PerstenError } from '../../../sdk/errors.js';
import type { ErrorCode } from '../../proto.gen.js';

/** Numbers that portals and their wrappers look for at the end of a message. */
export const CODE = {
  unexpected: 0x80004005, notImplemented: 0x80004001, noClass: 0x80040154, denied: 0x80070005, data: 0x8007000d, parameter: 0x80070057,
  notFound: 0x80070490, xml: 0x800705b9, noKeyInfo: 0x800705ba, noServer: 0x800706ba, noSpace: 0x80070070, tooLarge: 0x8007000e, noPerson: 0x80090022, authority: 0x80070002, cancelled: 0x800704c7, cancelledByUser: 0x8010006e,
  pin: 0x8010006b, pinLocked: 0x8010006c, busy: 0x8010000b, signature: 0x80090006, algorithm: 0x80090008, keyPeriod: 0x80090010,
  keyset: 0x80090016, licence: 0x8007065b, noProvider: 0x80090019, messageType: 0x80091004, digest: 0x80091007, noCertificate: 0x80092004, noKey: 0x8009200b,
  notMessage: 0x8009100e, attribute: 0x8009200e, otherType: 0x8009100f, noSignature: 0x800b0100, time: 0x800b0101, untrusted: 0x800b010a,
  revoked: 0x800b010c, unchecked: 0x800b010e, usage: 0x800b0110, stamp: 0x80096005, noTsa: 0xc2100121, site: 0xc2110f00,
} as const;

export type Trouble = keyof typeof CODE;

/** What a page gets: words in Russian, and the number that wrappers read, at the end. */
export class Fault extends Error {
  constructor(words: string, trouble: Trouble) {
    super(`${words.replace(/[\s.]+$/, '')}. (0x${CODE[trouble].toString(16).toUpperCase().padStart(8, '0')})`);
  }
}

const WORDS: Partial<Record<Trouble, string>> = {
  parameter: 'Неверно задан параметр', notImplemented: 'Persten этого пока не умеет', noClass: 'Такого объекта нет',
  denied: 'Доступ запрещён', noSignature: 'Подпись ещё не проверена', messageType: 'Это не подпись', notMessage: 'Это не подпись',
  otherType: 'Подпись другого вида, чем указано', noTsa: 'Не указан адрес службы штампов времени',
  algorithm: 'Ключ сертификата не подходит к указанному алгоритму', noCertificate: 'Неизвестный алгоритм или сертификат',
};

/** A fault of the call itself. */
export function fault(trouble: Trouble, words = WORDS[trouble] ?? 'Ошибка'): Fault {
  return new Fault(words, trouble);
}

/** The agent's errors as numbers; what is not here is `unexpected`. */
const TROUBLES: Partial<Record<ErrorCode, Trouble>> = {
  origin_not_allowed: 'site', origin_denied: 'site', hidden_not_allowed: 'denied', content_hidden: 'denied', policy_forbids: 'denied',
  user_rejected: 'cancelledByUser', user_stopped: 'cancelledByUser', user_timeout: 'cancelled', request_cancelled: 'cancelled',
  agent_paused: 'cancelled', request_invalid: 'parameter', request_malformed: 'parameter', request_unknown_method: 'notImplemented',
  token_absent: 'keyset', token_removed: 'keyset', token_busy: 'busy', module_failed: 'keyset', module_not_started: 'keyset', module_licence: 'licence', pin_incorrect: 'pin', pin_locked: 'pinLocked',
  key_absent: 'noKey', certificate_absent: 'noCertificate', certificate_expired: 'time', certificate_not_yet_valid: 'time', certificate_revoked: 'revoked',
  certificate_untrusted: 'untrusted', certificate_not_for_signing: 'usage', certificate_unfit: 'usage', algorithm_unsupported: 'algorithm',
  profile_unsupported: 'algorithm', certificate_key_expired: 'keyPeriod', certificate_key_not_yet_valid: 'keyPeriod',
  request_too_large: 'tooLarge', request_limit: 'busy', request_secret: 'denied', content_too_large: 'tooLarge', content_quota: 'tooLarge', content_disk_full: 'noSpace',
  prompt_unavailable: 'noPerson', unattended_limit: 'denied', unattended_stopped: 'denied', signer_absent: 'noCertificate', journal_unwritable: 'denied',
  digest_other: 'algorithm', network_offline: 'authority', network_unreachable: 'authority', network_timeout: 'authority', network_refused: 'authority', network_answer: 'authority',
  network_untrusted: 'authority', proxy_auth: 'authority', proxy_failed: 'authority', proxy_script: 'authority', agent_stopping: 'noServer',
  content_required: 'parameter', content_absent: 'parameter', format_cms: 'notMessage', format_certificate: 'data', format_xml: 'xml', xml_doctype: 'xml', xml_limit: 'xml',
  xml_reference_absent: 'notFound', xml_reference_ambiguous: 'notFound', xml_place_absent: 'notFound', xml_template_absent: 'notFound',
  xml_signature_absent: 'data', signer_unknown: 'noKeyInfo', signature_invalid: 'signature', content_mismatch: 'digest',
  signature_incomplete: 'attribute', signer_mismatch: 'attribute', revocation_unknown: 'unchecked', issuer_revoked: 'revoked', signer_revoked: 'revoked',
  signer_expired: 'time', signer_not_yet_valid: 'time', algorithm_weak: 'algorithm', timestamp_absent: 'noTsa', timestamp_rejected: 'stamp',
  timestamp_invalid: 'stamp', timestamp_mismatch: 'stamp', timestamp_untrusted: 'stamp', timestamp_expired: 'stamp', timestamp_order: 'stamp',
  agent_not_installed: 'noProvider', agent_not_running: 'noServer', agent_lost: 'noServer', agent_forbidden: 'noServer', extension_reloaded: 'noServer',
};

/** The number of one of the agent's codes. */
export function troubleOf(code: string): Trouble {
  return (Object.hasOwn(TROUBLES, code) && TROUBLES[code as ErrorCode]) || 'unexpected';
}

/** Anything that was thrown, as the page is to see it. What to do next is said as well: many portals show the message as it is. */
export function translate(e: unknown): Error {
  if (e instanceof Fault) return e;
  if (e instanceof PerstenError) return new Fault(e.advice ? `${e.text} ${e.advice}` : e.text, troubleOf(e.code));
  return new Fault('В расширении Persten произошла ошибка', 'unexpected');
}
