// SPDX-License-Identifier: MIT
import type { Certificate } from '../sdk/index.js';
import { find, lang, make, t } from './page.js';
import { formatDate, isKey } from './strings.js';

/** The PIN every practice token has; no secret. A real PIN is never on a page. */
const DEMO_PIN = '12345678';

/** Shows certificates as cards; the first that can sign is chosen unless the person's choice is still there. */
export function showCertificates(list: readonly Certificate[], chosen: string | undefined): void {
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
  const work = [c.title, c.organization, c.inn && t('inn', { inn: c.inn })].filter(Boolean).join(', ');
  const till = t('validTill', { date: formatDate(lang(), new Date(c.notAfter)) });
  return [work, t('issuedBy', { issuer: c.issuer }), `${till} · ${c.key} · ${c.token.label}`].filter(Boolean);
}
