// SPDX-License-Identifier: MIT

/**
 * `@persten/sdk/verify` checks on a server who logs in with a certificate. It runs where WebCrypto is: Node 20 and later, Deno,
 * workers, browsers.
 *
 *     const login = new LoginVerifier({ origin: 'https://portal.example', nonces: new MemoryNonces(), chain });
 *     const nonce = await login.challenge(session);                     // the page calls persten.login(nonce)
 *     const { certificate } = await login.verify(token, session);       // and posts the token back
 *
 * Chain decides which issuers are trusted; `@persten/sdk/verify/node` has two ready ones, and the check of GOST signatures.
 */
export { LoginError, LoginVerifier, type LoggedIn, type LoginAnswer, type LoginCode, type LoginOptions } from './login.js';
export { MemoryNonces, type NonceStore } from './nonces.js';
export type { LoginCertificate } from './x509.js';
export type { LoginToken } from '../../src/proto.gen.js';
