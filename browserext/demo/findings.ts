// SPDX-License-Identifier: MIT
import type { Signer, Verification } from '../sdk/index.js';
import { lang, make, t } from './page.js';
import { formatTime } from './strings.js';

/** What a verification found, signer by signer. */
export function findings(v: Verification): HTMLElement[] {
  const verdict = make('p', v.valid ? 'valid' : 'invalid', t(v.valid ? 'isValid' : 'isInvalid'));
  return [make('div', 'finding', verdict, ...v.signers.map(signer))];
}

function signer(s: Signer): HTMLElement {
  const who = [s.certificate?.name ?? t('unknownSigner'), s.certificate?.organization].filter(Boolean).join(', ');
  const when = s.signingTime ? ` · ${formatTime(lang(), new Date(s.signingTime))}` : '';
  const trust = s.text ?? t(s.trusted ? 'trusted' : 'untrusted');
  return make('p', 'quiet', `${who}${when} · ${s.algorithm}. ${s.valid || s.text ? trust : t('isInvalid')}`);
}
