// SPDX-License-Identifier: MIT
import type { Reference, Signer, Verification } from '../sdk/index.js';
import { wordsOf } from './notes.js';
import { lang, make, t } from './page.js';
import { formatTime } from './strings.js';

/** Runs a verification and shows what it found, or why it could not. */
export async function showFindings(into: HTMLElement, verify: () => Promise<Verification>): Promise<void> {
  into.replaceChildren(make('p', 'quiet', t('checking')));
  try {
    into.replaceChildren(...findings(await verify()));
  } catch (e) {
    const { what, next } = wordsOf(e);
    into.replaceChildren(make('div', 'finding', make('p', 'invalid', what), make('p', 'quiet', next)));
  }
}

/** What a verification found, signer by signer. */
function findings(v: Verification): HTMLElement[] {
  const partly = v.signers.some((s) => s.references && !s.references.some((r) => r.whole));
  const right = partly ? 'isValidPart' : 'isValid';
  const verdict = make('p', v.valid ? 'valid' : 'invalid', t(v.valid ? right : 'isInvalid'));
  return [make('div', 'finding', verdict, ...v.signers.map(signer))];
}

function signer(s: Signer): HTMLElement {
  const who = [s.certificate?.name ?? t('unknownSigner'), s.certificate?.organization].filter(Boolean).join(', ');
  const when = s.signingTime ? ` · ${formatTime(lang(), new Date(s.signingTime))}` : '';
  const trust = s.text ?? t(s.trusted ? 'trusted' : 'untrusted');
  const about = make('p', 'quiet', `${who}${when} · ${s.algorithm}. ${s.valid || s.text ? trust : t('isInvalid')}`);
  const parts = (s.references ?? []).filter((r) => !r.own);
  return parts.length === 0 ? about : make('div', '', about, make('ul', 'covered', ...parts.map((r) => make('li', '', covered(r)))));
}

/** What one reference of an XML signature covers, in words, and whether it is still as it was signed. */
function covered(r: Reference): string {
  const name = { name: r.element ?? '', id: r.id ? ` (Id=${r.id})` : '' };
  const what = r.whole ? t('coversWhole') : r.begin === r.end ? t('coversUnknown')
    : t(r.holes?.length ? 'coversHoles' : 'coversElement', name);
  return `${what} ${t(r.valid ? 'unchanged' : 'changed')}`;
}
