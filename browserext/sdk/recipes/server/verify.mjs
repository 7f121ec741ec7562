// SPDX-License-Identifier: MIT
// How a server checks what a browser sent. Never believe the browser's own word that a signature was made.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Checks a CMS signature (a Buffer) with `persten verify --json`, which knows GOST, paths, revocation and time-stamps. content is
 * the document your server itself has, when the signature is detached; roots and crl are files or folders. Resolves to the report:
 * `valid` is true only when every signature in it is TOTAL-PASSED. Rejects when the program cannot be run or the bytes are no signature.
 */
export async function verify(signature, { content, roots, crl, program = process.env.PERSTEN ?? 'persten' }) {
  return within(async (put) => {
    const args = ['verify', '--json', await put('signature.p7s', signature)];
    if (content) args.push('--content', await put('document', content));
    if (roots) args.push('--roots', roots);
    if (crl) args.push('--crl', crl, '--offline');
    // Exit code 0: passed; 1: failed; 4: neither good nor bad for certain. Each prints the report, anything else an error.
    const { stdout, code } = await run(program, args, { timeout: 60_000, maxBuffer: 16 << 20 }).catch((e) => e);
    const report = JSON.parse(stdout);
    if (!Array.isArray(report.signers)) throw new Error(report.code ?? 'not a report');
    const passed = (code ?? 0) === 0 && report.signers.length > 0 && report.signers.every((s) => s.indication === 'TOTAL_PASSED');
    return { ...report, valid: passed };
  });
}

/**
 * Checks a CAdES signature with OpenSSL, for servers that have no Persten: RSA and ECDSA, without revocation. Resolves to the signed
 * bytes; rejects when OpenSSL says no. GOST needs OpenSSL's gost engine.
 */
export async function verifyWithOpenSSL(signature, { content, roots }) {
  return within(async (put) => {
    const args = ['cms', '-verify', '-cades', '-binary', '-purpose', 'any', '-inform', 'DER', '-in', await put('signature.p7s', signature), '-CAfile', roots];
    if (content) args.push('-content', await put('document', content));
    return (await run('openssl', args, { encoding: 'buffer', timeout: 60_000, maxBuffer: 256 << 20 })).stdout;
  });
}

/** Runs use with a way to put bytes into files that are gone afterwards. */
async function within(use) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'verify-'));
  try {
    return await use(async (name, bytes) => {
      await writeFile(path.join(dir, name), bytes, { mode: 0o600 });
      return path.join(dir, name);
    });
  } finally {
    await rm(dir, { recursive: true });
  }
}
