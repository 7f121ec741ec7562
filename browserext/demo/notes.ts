// SPDX-License-Identifier: MIT
import { PerstenError, type Step } from '../sdk/index.js';
import { find, t } from './page.js';

/** What happened and what to do now; Persten says both of its own errors. */
export function wordsOf(e: unknown): { code: string; what: string; next: string } {
  if (e instanceof PerstenError) return { code: e.code, what: e.message, next: e.advice };
  if (e instanceof DOMException && e.name === 'AbortError') return { code: 'aborted', what: t('cancelled'), next: t('cancelledNext') };
  return { code: 'unexpected', what: t('unexpected', { detail: e instanceof Error ? e.message : String(e) }), next: t('unexpectedNext') };
}

/** The notes below the buttons of a section; prefix is what the ids of its elements begin with. */
export class Notes {
  constructor(private readonly prefix = '') {}

  showError({ code, what, next }: { code: string; what: string; next: string }): void {
    this.part('errorWhat').textContent = what;
    this.part('errorNext').textContent = next;
    this.part('error').dataset['code'] = code;
    this.part('error').hidden = false;
  }

  showProgress(step: Step | 'sending'): void {
    this.part('progress').hidden = false;
    this.part('progressText').textContent = t(step);
  }

  endProgress(): void {
    this.part('progress').hidden = true;
  }

  /** Takes away what the last try left. */
  clear(): void {
    for (const name of ['error', 'result']) this.part(name).hidden = true;
  }

  private part(name: string): HTMLElement {
    return find(this.prefix ? this.prefix + name.charAt(0).toUpperCase() + name.slice(1) : name);
  }
}
