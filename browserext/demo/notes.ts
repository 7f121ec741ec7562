// SPDX-License-Identifier: MIT
import { PerstenError, type Step } from '../sdk/index.js';
import { find, helpLink, t } from './page.js';

/** What is told of an error; help is the anchor of the page that explains it. */
export interface Words {
  code: string;
  what: string;
  next: string;
  help?: string;
}

/** What happened and what to do now; Persten says both of its own errors. */
export function wordsOf(e: unknown): Words {
  if (e instanceof PerstenError) return { code: e.code, what: e.message, next: e.advice, help: e.code };
  if (e instanceof DOMException && e.name === 'AbortError') return { code: 'aborted', what: t('cancelled'), next: t('cancelledNext') };
  return { code: 'unexpected', what: t('unexpected', { detail: e instanceof Error ? e.message : String(e) }), next: t('unexpectedNext') };
}

/** The notes below the buttons of a page. */
export class Notes {
  showError({ code, what, next, help }: Words): void {
    find('errorWhat').textContent = what;
    find('errorNext').textContent = next;
    const more = find<HTMLAnchorElement>('errorMore');
    more.hidden = help === undefined;
    more.href = helpLink(help);
    find('error').dataset['code'] = code;
    find('error').hidden = false;
  }

  showProgress(step: Step | 'sending' | 'loginWaiting'): void {
    find('progress').hidden = false;
    find('progressText').textContent = t(step);
  }

  endProgress(): void {
    find('progress').hidden = true;
  }

  /** Takes away what the last try left. */
  clear(): void {
    for (const id of ['error', 'result']) document.getElementById(id)?.setAttribute('hidden', '');
  }
}
