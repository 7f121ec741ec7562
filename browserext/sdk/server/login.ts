// SPDX-License-Identifier: MIT
import type { LoginToken } from '../../src/proto.gen.js';
import type { NonceStore } from './nonces.js';
import { parseCertificate, type LoginCertificate } from './x509.js';

/** Why somebody is not let in. */
export type LoginCode =
  | 'token_malformed' | 'nonce_unknown' | 'algorithm_unsupported' | 'login_mismatch' | 'certificate_malformed' | 'certificate_expired'
  | 'certificate_not_yet_valid' | 'certificate_not_for_login' | 'certificate_untrusted';

export class LoginError extends Error {
  override readonly name = 'LoginError';

  constructor(readonly code: LoginCode, detail: string = code, options?: ErrorOptions) {
    super(detail, options);
  }
}

/** A token with what it is to answer, as hooks get it. */
export interface LoginAnswer {
  token: LoginToken;
  origin: string;
  nonce: string;
}

export interface LoginOptions {
  /** The site's own origin, such as `https://portal.example`. Never take it from a request. */
  origin: string;
  nonces: NonceStore;
  /** Whether the certificate leads to an issuer you trust and is not revoked. Without this check anybody is anybody. */
  chain: (certificate: LoginCertificate, answer: LoginAnswer) => Promise<boolean>;
  /** Checks the signature by a GOST key, which WebCrypto cannot. Without it such tokens are refused. */
  gost?: ((answer: LoginAnswer) => Promise<boolean>) | undefined;
  /** How long a challenge may be answered, in milliseconds; 5 minutes by default. */
  ttl?: number | undefined;
  /** For tests. */
  now?: (() => Date) | undefined;
}

/** Somebody who proved to have the key of a certificate, now and to this site. */
export interface LoggedIn {
  certificate: LoginCertificate;
  /** DER of certificates for signing documents that came along; nobody vouches that they are the same person's. */
  signing: Uint8Array<ArrayBuffer>[];
}

const TTL = 5 * 60_000;
const CERTIFICATE = 24_000;
const SIGNATURE = 12_000;
const WEAKEST_RSA = 2048;
const NONCE_OCTETS = 32;

const EC = (namedCurve: string, hash: string) => ({ key: { name: 'ECDSA', namedCurve }, use: { name: 'ECDSA', hash }, hash });
const PKCS1 = (hash: string) => ({ key: { name: 'RSASSA-PKCS1-v1_5', hash }, use: { name: 'RSASSA-PKCS1-v1_5' }, hash });
const PSS = (hash: string, saltLength: number) => ({ key: { name: 'RSA-PSS', hash }, use: { name: 'RSA-PSS', saltLength }, hash });

/** RFC 7518 section 3.1. */
const ALGORITHMS: Record<string, ReturnType<typeof EC> | ReturnType<typeof PKCS1> | ReturnType<typeof PSS>> = {
  ES256: EC('P-256', 'SHA-256'), ES384: EC('P-384', 'SHA-384'), ES512: EC('P-521', 'SHA-512'),
  RS256: PKCS1('SHA-256'), RS384: PKCS1('SHA-384'), RS512: PKCS1('SHA-512'),
  PS256: PSS('SHA-256', 32), PS384: PSS('SHA-384', 48), PS512: PSS('SHA-512', 64),
};
const GOST = ['GOST3410_2012_256', 'GOST3410_2012_512'];

/**
 * Certificate login on a server: issues challenges and judges what comes back. It refuses what was made for another site, for
 * another session, long ago or twice, and certificates that are out of date or not for logging in.
 */
export class LoginVerifier {
  constructor(private readonly o: LoginOptions) {
    if (new URL(o.origin).origin !== o.origin) throw new TypeError(`not an origin: ${o.origin}`);
  }

  /** A fresh challenge for a browser session. Session is what only that browser has, such as the value of its cookie. */
  async challenge(session: string): Promise<string> {
    const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(NONCE_OCTETS))));
    await this.o.nonces.put(session, nonce, this.o.ttl ?? TTL);
    return nonce;
  }

  /** Judges the answer of a session to its challenge. Rejects with a {@link LoginError}. */
  async verify(given: unknown, session: string): Promise<LoggedIn> {
    const nonce = await this.o.nonces.take(session); // first, so that a wrong answer uses it up too
    if (nonce === undefined) throw new LoginError('nonce_unknown', 'no challenge waits for an answer of this session');
    const token = tokenOf(given);
    const certificate = certificateOf(token);
    const answer = { token, origin: this.o.origin, nonce };
    if (!(await this.fits(certificate, answer))) throw new LoginError('login_mismatch', 'not the answer to this challenge of this site');
    const now = this.o.now?.() ?? new Date();
    if (now < certificate.notBefore) throw new LoginError('certificate_not_yet_valid');
    if (now > certificate.notAfter) throw new LoginError('certificate_expired');
    if (!certificate.login) throw new LoginError('certificate_not_for_login');
    if (!(await this.o.chain(certificate, answer))) throw new LoginError('certificate_untrusted');
    const signing = (token.unverifiedSigningCertificates ?? []).map((c) => octets(c.certificate, CERTIFICATE));
    return { certificate, signing };
  }

  private async fits(certificate: LoginCertificate, answer: LoginAnswer): Promise<boolean> {
    const { algorithm, signature } = answer.token;
    if (GOST.includes(algorithm)) {
      if (this.o.gost) return this.o.gost(answer);
      throw new LoginError('algorithm_unsupported', 'nothing was set up to check GOST signatures');
    }
    const how = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
    if (!how) throw new LoginError('algorithm_unsupported');
    const { subtle } = globalThis.crypto;
    const key = await subtle.importKey('spki', certificate.spki, how.key, false, ['verify']).catch((cause: unknown) => {
      throw new LoginError('algorithm_unsupported', 'the key of the certificate is of another kind', { cause });
    });
    const bits = (key.algorithm as Partial<RsaHashedKeyAlgorithm>).modulusLength;
    if (bits !== undefined && bits < WEAKEST_RSA) throw new LoginError('algorithm_unsupported', 'the RSA key is too short');
    return subtle.verify(how.use, key, octets(signature, SIGNATURE), await challenge(how.hash, answer));
  }
}

/** What is signed: the hashes of origin and nonce, one after the other. */
async function challenge(hash: string, { origin, nonce }: LoginAnswer): Promise<Uint8Array<ArrayBuffer>> {
  const digest = (text: string): Promise<ArrayBuffer> => globalThis.crypto.subtle.digest(hash, new TextEncoder().encode(text));
  return new Uint8Array(await new Blob([await digest(origin), await digest(nonce)]).arrayBuffer());
}

/** Looks at what came from outside as at a token. Members nobody knows are passed over. */
function tokenOf(given: unknown): LoginToken {
  if (typeof given !== 'object' || given === null) throw new LoginError('token_malformed');
  const t = given as Record<string, unknown>;
  for (const name of ['unverifiedCertificate', 'algorithm', 'signature', 'format']) {
    if (typeof t[name] !== 'string') throw new LoginError('token_malformed', `${name} is missing`);
  }
  const list = t['unverifiedSigningCertificates'];
  const whole = t['format'] === 'web-eid:1.0' ? list === undefined : t['format'] === 'web-eid:1.1' && listed(list);
  if (!whole) throw new LoginError('token_malformed', 'format');
  return given as LoginToken;
}

function listed(list: unknown): boolean {
  const one = (v: unknown): boolean => typeof v === 'object' && v !== null && typeof (v as Record<string, unknown>)['certificate'] === 'string';
  return Array.isArray(list) && list.length > 0 && list.length <= 16 && list.every(one);
}

function certificateOf(token: LoginToken): LoginCertificate {
  const der = octets(token.unverifiedCertificate, CERTIFICATE);
  try {
    return parseCertificate(der);
  } catch (cause) {
    throw new LoginError('certificate_malformed', 'not a certificate', { cause });
  }
}

function octets(base64: string, most: number): Uint8Array<ArrayBuffer> {
  if (base64.length === 0 || base64.length > most || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) throw new LoginError('token_malformed', 'not base64');
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}
