// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64 } from '../../../sdk/content.js';
import { PerstenError } from '../../../sdk/errors.js';
import { isObject } from '../../../sdk/wire.js';
import type { Agent } from '../agent.js';
import { hex, unhex } from '../der.js';
import { Keys } from '../webeid/keys.js';

/** The version this face behaves like. */
const VERSION = '1.0.0';
const USER_WITHIN = 300_000;
/** Of one argument, in characters: a certificate in hex. */
const MEMBER = 32_768;

/** Our codes as the names pages know; what is not here went wrong inside. */
const NAMES: Record<string, string> = {
  user_rejected: 'user_cancel', user_stopped: 'user_cancel', user_timeout: 'user_cancel', request_cancelled: 'user_cancel',
  certificate_none: 'no_certificates', token_absent: 'no_certificates', certificate_absent: 'invalid_argument', request_invalid: 'invalid_argument',
  request_malformed: 'invalid_argument', algorithm_unsupported: 'invalid_argument', origin_denied: 'not_allowed', origin_not_allowed: 'not_allowed',
  hidden_not_allowed: 'not_allowed', content_hidden: 'not_allowed', certificate_not_for_signing: 'not_allowed', policy_forbids: 'not_allowed',
  context_insecure: 'not_allowed', pin_locked: 'pin_blocked', token_removed: 'driver_error', token_busy: 'driver_error', module_failed: 'driver_error',
  module_not_started: 'driver_error', module_licence: 'driver_error',
};

function translate(e: unknown): Error {
  if (e instanceof Refusal) return e;
  return new Error((e instanceof PerstenError && Object.hasOwn(NAMES, e.code) && NAMES[e.code]) || 'technical_error');
}

class Refusal extends Error {}

/** Names of hash functions as pages write them: SHA-256, sha256. */
function hashName(type: unknown): string {
  const name = text(type).toUpperCase().replace(/^SHA-?(\d{3})$/, 'SHA-$1');
  if (!/^(SHA|STREEBOG)-\d{3}$/.test(name)) throw new Refusal('invalid_argument');
  return name;
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > MEMBER) throw new Refusal('invalid_argument');
  return value;
}

function octets(value: unknown): Uint8Array<ArrayBuffer> {
  const bytes = unhex(text(value));
  if (!bytes) throw new Refusal('invalid_argument');
  return bytes;
}

const member = (v: unknown, name: string): unknown => (isObject(v) ? v[name] : undefined);

/** The class pages look for. Every method answers with a promise, and fails with one word as the message. */
export function tokenSigning(agent: Agent): new () => object {
  const keys = new Keys(agent);
  const guarded = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    Promise.resolve().then(() => work(AbortSignal.timeout(USER_WITHIN))).catch((e: unknown) => Promise.reject(translate(e)));
  return class TokenSigning {
    getVersion(): Promise<string> {
      return guarded(async () => `${VERSION}/${await agent.version()}`);
    }

    getCertificate(options?: unknown): Promise<{ hex: string }> {
      return guarded(async (signal) => {
        const filter = member(options, 'filter');
        if (filter !== undefined && filter !== 'SIGN') throw new Refusal('not_allowed'); // keys for logging in sign no digests
        return { hex: hex(fromBase64((await keys.choose(signal)).der)).toLowerCase() };
      });
    }

    sign(certificate: unknown, hash: unknown, options?: unknown): Promise<{ hex: string }> {
      return guarded(async (signal) => {
        const note = member(options, 'info');
        const made = await keys.sign(octets(member(certificate, 'hex')), hashName(member(hash, 'type')), octets(member(hash, 'hex')),
          typeof note === 'string' ? note : undefined, signal);
        return { hex: hex(made.signature).toLowerCase() };
      });
    }
  };
}
