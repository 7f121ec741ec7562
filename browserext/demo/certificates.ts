// SPDX-License-Identifier: MIT
import type { Certificate } from '../sdk/index.js';
import { find, lang, make, t } from './page.js';
import { formatDate, isKey } from './strings.js';

/** The PIN every practice token has; no secret. A real PIN is never on a page. */
const DEMO_PIN = '12345678';

/** Shows certificates as cards, on pages with a place for them; the first that can sign is chosen unless the person's choice is still there. */
export function showCertificates(list: readonly Certificate[], chosen: string | undefined): void {
  if (!document.getElementById('cards')) return;
  const usable = list.filter((c) => c.usable);
  const pick = usable.find((c) => c.id === chosen) ?? usable[0];
  find('cards').replaceChildren(...list.map((c) => card(c, c === pick)));
  const none = find('noCards');
  none.textContent = t('noCards');
  none.hidden = list.length > 0;
}

/** The id of the chosen certificate. */
export function chosenCertificate(): string | undefined {
  return document.querySelector<HTMLInputElement>('#cards input:checked')?.value;
}

function card(c: Certificate, checked: boolean): HTMLElement {
  const input = document.createElement('input');
  Object.assign(input, { type: 'radio', name: 'certificate', value: c.id, checked, disabled: !c.usable });
  const who = make('span', 'who', c.name);
  if (c.token.demo) who.append(make('span', 'badge', t('demo')));
  const body = make('span', '', who, ...lines(c).map((l) => make('span', 'line', l)));
  if (!c.usable) body.append(make('span', 'why', c.reason && isKey(c.reason) ? t(c.reason) : t('cannotSign')));
  else if (c.token.demo) body.append(make('span', 'pin', t('demoPIN', { pin: DEMO_PIN })));
  return make('label', 'card', input, body);
}

function lines(c: Certificate): string[] {
  const numbers = [c.inn && t('inn', { inn: c.inn }), c.innle && t('innle', { inn: c.innle })];
  const work = [c.title, c.organization, ...numbers].filter(Boolean).join(', ');
  const till = t('validTill', { date: formatDate(lang(), new Date(c.notAfter)) });
  const last = c.signUntil && c.signUntil !== c.notAfter && t('keyTill', { date: formatDate(lang(), new Date(c.signUntil)) });
  const where = [c.token.label, place(c), c.class && t('toolClass', { name: className(c.class) })].filter(Boolean).join(' · ');
  return [work, t('issuedBy', { issuer: c.issuer }), [till, last, keyName(c)].filter(Boolean).join(' · '), where].filter((l) => !!l);
}

/** The kind of key with its curve, unless the kind says it already: ECDSA P-256. */
function keyName(c: Certificate): string {
  return c.parameterSet && !c.key.includes(c.parameterSet) ? `${c.key}, ${c.parameterSet}` : c.key;
}

/** Classes are written in the letters of the language: КС1. */
function className(name: string): string {
  const letters: Record<string, string> = { A: 'А', B: 'В', C: 'С', K: 'К' };
  return lang() === 'ru' ? name.replace(/[ABCK]/g, (l) => letters[l] ?? l) : name;
}

/** Where the key works; an older agent does not tell. */
function place(c: Certificate): string {
  switch (c.runs) {
    case 'token': return c.token.model ? t('onTokenModel', { model: c.token.model }) : t('onToken');
    case 'csp': return t('inCSP');
    case 'software': return t('inSoftware');
    default: return '';
  }
}
