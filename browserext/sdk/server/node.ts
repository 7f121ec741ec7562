// SPDX-License-Identifier: MIT

/** `@persten/sdk/verify/node`: checks of certificate login that need more than WebCrypto, for Node. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import type { LoginAnswer } from './login.js';
import type { LoginCertificate } from './x509.js';

const LONGEST_PATH = 8;
const PROGRAM_WITHIN = 30_000;

/**
 * Trusts certificates that lead to one of these roots, over intermediates if need be; all in PEM or DER. It knows RSA and ECDSA, and
 * does not ask about revocation: use {@link persten} for GOST and for revocation.
 */
export function trustedBy(roots: readonly (string | Uint8Array)[], intermediates: readonly (string | Uint8Array)[] = []) {
  const parse = (list: readonly (string | Uint8Array)[]): X509Certificate[] => list.map((c) => new X509Certificate(c));
  const trusted = parse(roots);
  const issuers = [...trusted, ...parse(intermediates)];
  return async (certificate: LoginCertificate): Promise<boolean> => {
    let one = new X509Certificate(certificate.der);
    for (let depth = 0; depth < LONGEST_PATH; depth++) {
      const issuer = issuers.find((c) => issued(c, one));
      if (!issuer) return false;
      if (trusted.includes(issuer)) return true;
      one = issuer;
    }
    return false;
  };
}

function issued(issuer: X509Certificate, one: X509Certificate): boolean {
  const now = Date.now();
  try {
    return issuer.ca && Date.parse(issuer.validFrom) <= now && now <= Date.parse(issuer.validTo) && one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    return false; // a kind of key Node cannot use
  }
}

export interface PerstenOptions {
  /** The program; `persten` from PATH by default. */
  program?: string | undefined;
  /** More of its options, such as `--roots DIR`, `--crl FILE`, `--offline`. */
  args?: readonly string[] | undefined;
  env?: NodeJS.ProcessEnv | undefined;
}

/**
 * Has `persten verify login` judge: `gost` the signature, `chain` also the certificate with its issuers and its revocation, of any kind
 * of key. The token goes to the program by its standard input.
 */
export function persten(o: PerstenOptions = {}) {
  return {
    gost: async (answer: LoginAnswer): Promise<boolean> => (await judged(o, answer)) !== 'wrong',
    chain: async (_: LoginCertificate, answer: LoginAnswer): Promise<boolean> => (await judged(o, answer)) === 'good',
  };
}

/** The answer fits and its certificate is good; it fits, but the certificate is bad or nobody vouches for it; it does not fit. */
type Verdict = 'good' | 'fits' | 'wrong';

/** Exit codes of the program. What it finds bad it names: the certificate, once the answer was seen to fit, or the answer. */
function verdict(exit: number | null, said: string): Verdict | undefined {
  if (exit === 0) return 'good';
  if (exit === 4 || (exit === 1 && /"code":"(certificate_\w+|issuer_revoked)"/.test(said))) return 'fits';
  return exit === 1 && /"code":"(login_mismatch|request_\w+|format_certificate)"/.test(said) ? 'wrong' : undefined;
}

/** Runs the program. What is none of its verdicts is an error of the server's, not of the person's. */
function judged(o: PerstenOptions, { token, origin, nonce }: LoginAnswer): Promise<Verdict> {
  const args = ['verify', 'login', '-', `--origin=${origin}`, `--nonce=${nonce}`, '--json', ...(o.args ?? [])];
  return new Promise((resolve, reject) => {
    const child = spawn(o.program ?? 'persten', args, { stdio: ['pipe', 'ignore', 'pipe'], env: o.env ?? process.env, timeout: PROGRAM_WITHIN });
    let said = '';
    child.stderr.on('data', (d: Buffer) => (said = (said + d.toString()).slice(0, 4096)));
    child.on('error', reject);
    child.on('close', (code) => {
      const found = verdict(code, said);
      if (found) resolve(found);
      else reject(new Error(`persten verify login ended with ${code}: ${said}`));
    });
    child.stdin.on('error', () => undefined); // it ended before it had read the token
    child.stdin.end(JSON.stringify(token));
  });
}
