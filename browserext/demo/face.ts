// SPDX-License-Identifier: MIT

/**
 * A page for sites that were made for another program: it calls what they call, and shows each answer as it came. Nothing here
 * knows Persten; what answers is a face of the extension or of the agent, or the other program itself.
 */
import { find, make, pageName, t } from './page.js';
import { start } from './portal.js';
import type { Key } from './strings.js';

export interface Owned {
  id: string;
  name: string;
}

export interface Face {
  /** Where it is turned on: in the popup, or by a command. */
  how: 'howFace' | 'howCompat';
  /** Its version; undefined when nobody answers. */
  find(): Promise<string | undefined>;
  /** Certificates by the names this program gives them. Without it the program lets the person choose. */
  list?(): Promise<Owned[]>;
  /** Signs text; what is returned is what the program gave. */
  sign(text: string, certificate: string): Promise<string>;
  /** Judges what sign returned last. */
  verify?(signature: string, text: string): Promise<string>;
  /** Proves to a site who the person is. */
  login?(): Promise<string>;
}

/** Base64 of bytes, or of a text as UTF-8. */
export function base64(data: string | ArrayBuffer): string {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
}

export const sha256 = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));

const text = (): HTMLTextAreaElement => find<HTMLTextAreaElement>('text');

/** Runs one call, and writes what it gave and how long it took. */
async function log(key: Key, call: () => Promise<string>): Promise<void> {
  const began = performance.now();
  const given = await call().then((s) => s, (e: unknown) => (e instanceof Error ? e.message : JSON.stringify(e)));
  const took = t('took', { ms: (performance.now() - began).toFixed(1) });
  const before = find('log').textContent === t('logEmpty') ? '' : find('log').textContent ?? '';
  find('log').textContent = `${t(key)}, ${took}\n${given}\n\n${before}`.trim();
}

async function list(face: Face): Promise<string> {
  const all = await face.list?.() ?? [];
  find('own').replaceChildren(...all.map((c) => new Option(c.name, c.id)));
  find('ownLine').hidden = all.length === 0;
  return all.map((c) => `${c.name}\n  ${c.id}`).join('\n') || '—';
}

/** Makes a call; when it fails because nobody is there, that is what is said. */
async function heard(face: Face, call: () => Promise<string>): Promise<string> {
  try {
    return await call();
  } catch (e) {
    const there = await face.find().catch(() => undefined);
    throw there === undefined ? new Error(t('faceAbsent')) : e;
  }
}

/** The calls of a face in the order a site makes them; each is a button. */
function steps(face: Face): [Key, () => Promise<string>][] {
  let last = '';
  const out: [Key, () => Promise<string>][] = [['faceFind', async () => await face.find() ?? t('faceAbsent')]];
  if (face.list) out.push(['faceList', () => list(face)]);
  out.push(['faceSign', async () => (last = await face.sign(text().value, find<HTMLSelectElement>('own').value))]);
  if (face.verify) out.push(['faceVerify', () => face.verify!(last, text().value)]);
  if (face.login) out.push(['faceLogin', () => face.login!()]);
  return out;
}

/** Makes the page of a face. */
export function show(face: Face): void {
  find('steps').append(...steps(face).map(([key, call]) => {
    const button = make('button', key === 'faceFind' ? 'primary' : '', t(key)) as HTMLButtonElement;
    [button.type, button.id] = ['button', key];
    button.dataset['t'] = key;
    button.addEventListener('click', () => void log(key, () => heard(face, call)));
    return button;
  }));
  void start({
    retell: () => {
      find('how').textContent = t(face.how, { title: t(`title_${pageName}` as Key), name: pageName });
      if (['', t('sample', {}, 'ru'), t('sample', {}, 'en')].includes(text().value)) text().value = t('sample');
      if (['', t('logEmpty', {}, 'ru'), t('logEmpty', {}, 'en')].includes(find('log').textContent ?? '')) find('log').textContent = t('logEmpty');
    },
  });
}

/** Waits for what may never come. */
export function within<T>(ms: number, wanted: Promise<T>): Promise<T | undefined> {
  return Promise.race([wanted, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms))]);
}
