// SPDX-License-Identifier: GPL-3.0-or-later
import { PerstenError } from '../../../sdk/errors.js';
import { ERROR_CODES } from './constants.js';

/** What a page gets: an error whose message is a number; pages look it up in errorCodes. */
export class RutokenError extends Error {
  constructor(name: string) {
    super(String(ERROR_CODES[name] ?? ERROR_CODES['UNKNOWN_ERROR']));
  }
}

/** The agent's codes as names of the plug-in's errors. */
const NAMES: Record<string, string> = {
  user_rejected: 'FUNCTION_REJECTED', user_stopped: 'FUNCTION_REJECTED', user_timeout: 'FUNCTION_REJECTED', request_cancelled: 'FUNCTION_REJECTED',
  origin_not_allowed: 'FUNCTION_REJECTED', origin_denied: 'FUNCTION_REJECTED', hidden_not_allowed: 'FUNCTION_REJECTED', content_hidden: 'FUNCTION_REJECTED',
  agent_paused: 'FUNCTION_REJECTED', policy_forbids: 'FUNCTION_REJECTED', pin_incorrect: 'PIN_INCORRECT', pin_locked: 'PIN_LOCKED',
  token_absent: 'DEVICE_NOT_FOUND', token_removed: 'DEVICE_NOT_FOUND', token_busy: 'DEVICE_ERROR', module_failed: 'PKCS11_LOAD_FAILED',
  module_not_started: 'PKCS11_LOAD_FAILED', module_licence: 'PKCS11_LOAD_FAILED',
  certificate_absent: 'CERTIFICATE_NOT_FOUND', key_absent: 'KEY_NOT_FOUND', certificate_expired: 'X509_CERT_HAS_EXPIRED',
  certificate_not_yet_valid: 'X509_CERT_NOT_YET_VALID', certificate_revoked: 'X509_CERT_REVOKED', certificate_untrusted: 'X509_CERT_UNTRUSTED',
  certificate_not_for_signing: 'KEY_FUNCTION_NOT_PERMITTED', algorithm_unsupported: 'MECHANISM_INVALID', profile_unsupported: 'MECHANISM_INVALID',
  request_invalid: 'BAD_PARAMS', content_required: 'DATA_INVALID', content_too_large: 'DATA_LEN_RANGE', content_quota: 'DATA_LEN_RANGE',
  format_cms: 'ASN1_ERROR', format_certificate: 'ASN1_ERROR', timestamp_absent: 'HOST_NOT_FOUND', timestamp_rejected: 'TST_VERIFICATION_ERROR',
  timestamp_invalid: 'TST_VERIFICATION_ERROR', network_unreachable: 'SERVER_CONNECTION_ERROR', network_timeout: 'SERVER_RECEIVE_ERROR',
};

export function translate(e: unknown): Error {
  if (e instanceof RutokenError) return e;
  return new RutokenError((e instanceof PerstenError && Object.hasOwn(NAMES, e.code) && NAMES[e.code]) || 'FUNCTION_FAILED');
}
