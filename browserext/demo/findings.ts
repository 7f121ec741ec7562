// SPDX-License-Identifier: MIT

/** What a verification found, for the person who asked: who, when and by whose clock, what, who vouches, what to do. */
import type { ChainLink, Indication, Reference, Revocation, Signer, Timestamp, Verification } from '../sdk/index.js';
import { wordsOf } from './notes.js';
import { lang, make, t } from './page.js';
import { formatTime, isKey, type Key } from './strings.js';

type Look = 'valid' | 'invalid' | 'unsure';
const looks: Record<Indication, Look> = { TOTAL_PASSED: 'valid', TOTAL_FAILED: 'invalid', INDETERMINATE: 'unsure' };
const lookOf = (i: Indication | undefined): Look => looks[i ?? 'INDETERMINATE'];
const at = (time: string): string => formatTime(lang(), new Date(time));

/** Runs a verification and shows what it found, or why it could not; the report can be saved as PDF. */
export async function showFindings(into: HTMLElement, verify: (page?: 'pdf') => Promise<Verification>): Promise<void> {
  into.replaceChildren(make('p', 'quiet', t('checking')));
  try {
    const found = await verify();
    into.replaceChildren(...findings(found), saving(into, verify));
  } catch (e) {
    into.replaceChildren(failure(e));
  }
}

function failure(e: unknown): HTMLElement {
  const { what, next } = wordsOf(e);
  return make('div', 'finding', make('p', 'invalid', what), make('p', 'quiet', next));
}

/** The button that makes the report once more, as PDF, and hands it over as a download. */
function saving(into: HTMLElement, verify: (page: 'pdf') => Promise<Verification>): HTMLElement {
  const button = make('button', 'quiet-button report', t('saveReport')) as HTMLButtonElement;
  button.type = 'button';
  button.addEventListener('click', () => {
    button.disabled = true;
    verify('pdf').then(({ page }) => {
      if (page) download(new Blob([page], { type: 'application/pdf' }), t('reportName'));
    }).catch((e: unknown) => into.append(failure(e))).finally(() => {
      button.disabled = false;
    });
  });
  return make('p', 'actions', button);
}

function download(data: Blob, name: string): void {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(data);
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000);
}

function findings(v: Verification): HTMLElement[] {
  return v.signers.map((s, i) => make('div', 'finding', ...heading(i, v.signers.length), ...signer(s)));
}

function heading(i: number, all: number): HTMLElement[] {
  return all > 1 ? [make('p', 'quiet', t('signatureOf', { n: String(i + 1), all: String(all) }))] : [];
}

function signer(s: Signer): HTMLElement[] {
  const look = lookOf(s.indication);
  const partly = s.references && !s.references.some((r) => r.whole);
  const right = partly ? 'isValidPart' : 'isValid';
  const out = [make('p', look, t({ valid: right, invalid: 'isInvalid', unsure: 'isUnsure' }[look] as Key))];
  if (s.text) out.push(make('p', 'reason', s.text));
  if (s.next) out.push(make('p', 'advice', make('b', '', `${t('whatToDo')} `), s.next));
  const who = [s.certificate?.name ?? t('unknownSigner'), s.certificate?.organization].filter(Boolean).join(', ');
  out.push(make('dl', '', ...pair('signer', who), ...pair('time', when(s)), ...(s.timestamps ?? []).flatMap((x) => pair('stamp', stamp(x)))));
  const parts = (s.references ?? []).filter((r) => !r.own);
  if (parts.length > 0) out.push(make('ul', 'covered', ...parts.map((r) => make('li', '', covered(r)))));
  if (s.chain) out.push(chainOf(s.chain));
  for (const c of s.countersignatures ?? []) out.push(make('div', 'finding', make('p', 'quiet', t('countersignature')), ...signer(c)));
  const code = [s.indication, s.subIndication].filter(Boolean).join(' / ');
  out.push(make('p', 'quiet', `${code} · ${s.format ?? ''} · ${s.algorithm}`));
  return out;
}

const pair = (key: Key, value: string): HTMLElement[] => [make('dt', '', t(key)), make('dd', '', value)];

/** By whose clock: a time-stamping authority proves a time, a signer only claims one. */
function when(s: Signer): string {
  if (s.bestTime?.from === 'timestamp') return t('timeProven', { time: at(s.bestTime.time) });
  return s.signingTime ? t('timeClaimed', { time: at(s.signingTime) }) : t('timeAbsent');
}

function stamp(x: Timestamp): string {
  const time = x.time ? at(x.time) : '';
  return x.indication === 'TOTAL_PASSED' ? t('stampGood', { time, name: x.authority?.name ?? t('unknownSigner') }) : `${time}: ${x.text ?? ''}`;
}

/** The certificates from the root down to the signer's; a broken one is marked where it breaks. */
export function chainOf(links: readonly ChainLink[]): HTMLElement {
  const items = links.map((l) => {
    const unsure = ['unchecked', 'absent', 'root'].includes(l.code ?? '');
    const look: Look = l.ok ? 'valid' : unsure ? 'unsure' : 'invalid';
    const key = `link_${l.code ?? ''}`;
    const state = l.ok ? t(l.root ? 'linkRoot' : 'linkGood') : t(isKey(key) ? key : 'link_other');
    return make('li', `link ${look}`, make('b', '', l.name), make('span', '', state), ...revocation(l.revocation));
  });
  return make('div', '', make('p', 'quiet', t('whoVouches')), make('ol', 'chain', ...items.reverse()));
}

function revocation(r: Revocation | undefined): HTMLElement[] {
  if (!r?.source) return [];
  const args = { time: r.thisUpdate ? at(r.thisUpdate) : '', from: r.from ?? '', when: r.revokedAt ? at(r.revokedAt) : '' };
  return [make('small', 'quiet', t(r.revokedAt ? 'revokedBy' : 'notRevokedBy', args))];
}

/** What one reference of an XML signature covers, in words, and whether it is still as it was signed. */
function covered(r: Reference): string {
  const name = { name: r.element ?? '', id: r.id ? ` (Id=${r.id})` : '' };
  const what = r.whole ? t('coversWhole') : r.begin === r.end ? t('coversUnknown')
    : t(r.holes?.length ? 'coversHoles' : 'coversElement', name);
  return `${what} ${t(r.valid ? 'unchanged' : 'changed')}`;
}
