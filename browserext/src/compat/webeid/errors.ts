// SPDX-License-Identifier: GPL-3.0-or-later
import { PerstenError } from '../../../sdk/errors.js';

/** The codes of Web eID without their common beginning, and the classes its library makes of them. */
const NAMES = {
  USER_TIMEOUT: 'UserTimeoutError', VERSION_MISMATCH: 'VersionMismatchError', VERSION_INVALID: 'VersionInvalidError',
  NATIVE_UNAVAILABLE: 'NativeUnavailableError', UNKNOWN_ERROR: 'UnknownError', CONTEXT_INSECURE: 'ContextInsecureError',
  USER_CANCELLED: 'UserCancelledError', NATIVE_INVALID_ARGUMENT: 'NativeInvalidArgumentError', NATIVE_FATAL: 'NativeFatalError',
  ACTION_PENDING: 'ActionPendingError', MISSING_PARAMETER: 'MissingParameterError',
} as const;
export type WebEidCode = keyof typeof NAMES;

/** Our codes as theirs; what is not here went wrong inside the agent or its token. */
const CODES: Record<string, WebEidCode> = {
  user_rejected: 'USER_CANCELLED', user_stopped: 'USER_CANCELLED', request_cancelled: 'USER_CANCELLED', origin_denied: 'USER_CANCELLED',
  hidden_not_allowed: 'USER_CANCELLED', content_hidden: 'USER_CANCELLED', user_timeout: 'USER_TIMEOUT', origin_not_allowed: 'USER_TIMEOUT',
  agent_not_installed: 'NATIVE_UNAVAILABLE', agent_not_running: 'NATIVE_UNAVAILABLE', agent_lost: 'NATIVE_UNAVAILABLE',
  agent_forbidden: 'NATIVE_UNAVAILABLE', agent_paused: 'NATIVE_UNAVAILABLE', extension_reloaded: 'NATIVE_UNAVAILABLE',
  context_insecure: 'CONTEXT_INSECURE', request_invalid: 'NATIVE_INVALID_ARGUMENT', request_malformed: 'NATIVE_INVALID_ARGUMENT',
  request_too_large: 'NATIVE_INVALID_ARGUMENT', certificate_absent: 'NATIVE_INVALID_ARGUMENT', algorithm_unsupported: 'NATIVE_INVALID_ARGUMENT',
};

/** What a page gets in place of an error. */
export interface Failure {
  code: string;
  message: string;
  name: string;
  stack: string;
}

/** An error of this face's own. */
export class Fault extends Error {
  constructor(readonly code: WebEidCode, message: string) {
    super(message);
  }
}

function codeOf(code: string): WebEidCode {
  return (Object.hasOwn(CODES, code) && CODES[code]) || 'NATIVE_FATAL';
}

export function failure(e: unknown): Failure {
  const code = e instanceof Fault ? e.code : e instanceof PerstenError ? codeOf(e.code) : 'UNKNOWN_ERROR';
  const message = e instanceof Error ? e.message : String(e);
  return { code: `ERR_WEBEID_${code}`, message: e instanceof PerstenError ? `${e.code}: ${message}` : message, name: NAMES[code], stack: '' };
}
