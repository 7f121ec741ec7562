// SPDX-License-Identifier: MIT

/**
 * Login with a certificate, as a portal does it: a challenge from the server, an answer from Persten, a verdict from the server.
 * Where the page was served without a server that judges (as `persten demo` does), it plays that server itself.
 */
import type { LoginToken } from '../../sdk/index.js';
import { LoginVerifier, MemoryNonces, type LoginError } from '../../sdk/server/index.js';
import { find, t } from '../page.js';
import { notes, portal, start } from '../portal.js';
import type { Key } from '../strings.js';

/** Who judges the answers. */
interface Judge {
  nonce: string;
  /** Resolves to the name of who logged in; rejects with the code of a {@link LoginError} as the message. */
  verify(token: LoginToken): Promise<string>;
  by: Key;
}

/** Who judged the answer on the screen. */
let by: Key | undefined;

async function judge(): Promise<Judge> {
  const r = await fetch('login/challenge', { method: 'POST' });
  if (!r.ok) return ownJudge();
  const { nonce } = await r.json() as { nonce: string };
  return { nonce, verify: byServer, by: 'loginByServer' };
}

async function byServer(token: LoginToken): Promise<string> {
  const r = await fetch('login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(token) });
  const { name, error } = await r.json() as { name?: string; error?: string };
  if (!r.ok) throw new Error(error);
  return name ?? '';
}

/** What a server does, in the page: never so on a real portal, because a page believes what it wants. */
async function ownJudge(): Promise<Judge> {
  const verifier = new LoginVerifier({ origin: location.origin, nonces: new MemoryNonces(), chain: async () => true });
  const verify = async (token: LoginToken): Promise<string> => {
    if (token.algorithm.startsWith('GOST')) throw new Error('gost');
    const { certificate } = await verifier.verify(token, 'page').catch((e: unknown) => Promise.reject(new Error((e as LoginError).code)));
    return certificate.subject['commonName'] ?? certificate.serial;
  };
  return { nonce: await verifier.challenge('page'), verify, by: 'loginByPage' };
}

async function login(): Promise<void> {
  find('more').hidden = true;
  await portal.run(async (signal, agent) => {
    notes.showProgress('loginWaiting');
    const server = await judge();
    const token = await agent.login(server.nonce, { signal });
    find<HTMLTextAreaElement>('token').value = JSON.stringify(token, undefined, 2);
    find('more').hidden = false;
    const name = await server.verify(token).catch(refused);
    if (name === undefined) return;
    by = server.by;
    find('who').textContent = name;
    find('by').textContent = ` ${t(by)}`;
    find('result').hidden = false;
    find('result').focus();
  });
}

function refused(e: unknown): undefined {
  const code = e instanceof Error ? e.message : String(e);
  const gost = code === 'gost';
  notes.showError({ code, what: gost ? t('loginGost') : t('loginRefused', { code }), next: gost ? t('loginGostNext') : t('loginAgain') });
}

find('login').addEventListener('click', () => void login());
void start({
  update: () => {
    find<HTMLButtonElement>('login').disabled = portal.persten === undefined || portal.busy;
  },
  retell: () => {
    if (by) find('by').textContent = ` ${t(by)}`;
  },
});
