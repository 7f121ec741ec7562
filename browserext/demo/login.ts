// SPDX-License-Identifier: MIT

/**
 * Login with a certificate, as a portal does it: a challenge from the server, an answer from Persten, a verdict from the server. Where
 * the page was served without a server that judges (as `persten demo` does), it plays that server itself.
 */
import { connect, PerstenError, type Lang, type LoginToken } from '../sdk/index.js';
import { LoginError, LoginVerifier, MemoryNonces } from '../sdk/server/index.js';
import { find } from './page.js';

const WORDS = {
  title: ['Вход по сертификату', 'Login with a certificate'],
  subtitle: ['Пример портала', 'An example of a portal'],
  language: ['Язык', 'Language'],
  heading: ['Личный кабинет', 'Your account'],
  how: [
    'Портал выдаёт одноразовый код, Persten спрашивает вас и подписывает его вместе с адресом сайта. Ответ годится один раз и только здесь.',
    'The portal issues a one-time code; Persten asks you and signs it together with the address of the site. The answer is good once and only here.',
  ],
  login: ['Войти', 'Log in'],
  waiting: ['Ответьте в окне Persten.', 'Please answer in the Persten window.'],
  token: ['Ответ, который получил портал', 'The answer the portal got'],
  server: ['Ответ проверил сервер портала.', 'The answer was checked by the portal\'s server.'],
  page: [
    'Сервера у этой страницы нет, поэтому ответ проверила она сама. Кто выдал сертификат, она не проверяла: это дело настоящего портала.',
    'This page has no server, so it checked the answer itself. Who issued the certificate it did not check: that is for a real portal.',
  ],
  refused: ['Портал не впустил: {code}.', 'The portal did not let you in: {code}.'],
  again: ['Попробуйте войти ещё раз.', 'Try to log in again.'],
  gost: [
    'Подпись по ГОСТ браузер проверить не может. На портале её проверяет сервер командой persten verify login.',
    'A browser cannot check a GOST signature. On a portal the server does, by the command persten verify login.',
  ],
} as const;
type Word = keyof typeof WORDS;

/** Who judges the answers. */
interface Judge {
  nonce: string;
  /** Resolves to the name of who logged in; rejects with a {@link LoginError}'s code as the message. */
  verify(token: LoginToken): Promise<string>;
  by: Word;
}

const query = new URLSearchParams(location.search);
let language: Lang = (query.get('lang') ?? localStorage.getItem('lang') ?? navigator.language).toLowerCase().startsWith('ru') ? 'ru' : 'en';
const word = (name: Word): string => WORDS[name][language === 'ru' ? 0 : 1];

function speak(to: Lang): void {
  language = to;
  localStorage.setItem('lang', to);
  document.documentElement.lang = to;
  document.title = word('title');
  for (const e of document.querySelectorAll<HTMLElement>('[data-word]')) e.textContent = word(e.dataset['word'] as Word);
  for (const e of document.querySelectorAll<HTMLElement>('[data-word-label]')) e.setAttribute('aria-label', word(e.dataset['wordLabel'] as Word));
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset['lang'] === to));
}

async function judge(): Promise<Judge> {
  const r = await fetch('login/challenge', { method: 'POST' });
  if (!r.ok) return ownJudge();
  const { nonce } = await r.json() as { nonce: string };
  return { nonce, verify: byServer, by: 'server' };
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
  return { nonce: await verifier.challenge('page'), verify, by: 'page' };
}

async function login(): Promise<void> {
  for (const id of ['error', 'result', 'more']) find(id).hidden = true;
  find<HTMLButtonElement>('login').disabled = true;
  find('waiting').hidden = false;
  try {
    const persten = await connect({ lang: language, port: query.has('port') ? Number(query.get('port')) : undefined, client: 'persten-demo' });
    try {
      const server = await judge();
      const token = await persten.login(server.nonce);
      find<HTMLTextAreaElement>('token').value = JSON.stringify(token, undefined, 2);
      find('more').hidden = false;
      find('who').textContent = await server.verify(token);
      find('by').textContent = ` ${word(server.by)}`;
      find('result').hidden = false;
      find('result').focus();
    } finally {
      persten.close();
    }
  } catch (e) {
    showError(e);
  } finally {
    find<HTMLButtonElement>('login').disabled = false;
    find('waiting').hidden = true;
  }
}

function showError(e: unknown): void {
  const said = e instanceof Error ? e.message : String(e);
  const own = e instanceof PerstenError;
  find('errorWhat').textContent = own ? said : said === 'gost' ? word('gost') : word('refused').replace('{code}', said);
  find('errorNext').textContent = own ? ` ${e.advice}` : said === 'gost' ? '' : ` ${word('again')}`;
  find('error').hidden = false;
}

find('login').addEventListener('click', () => void login());
for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) b.addEventListener('click', () => speak(b.dataset['lang'] === 'ru' ? 'ru' : 'en'));
speak(language);
