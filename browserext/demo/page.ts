// SPDX-License-Identifier: MIT
import type { Lang } from '../sdk/index.js';
import { translate, type Key } from './strings.js';

/** The element with this id, of this kind; the page is ours, so a missing one is a mistake. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error(`index.html has no ${id}`);
  return e as T;
}

/** Makes an element with text; text is never read as HTML. */
export function make(tag: string, className: string, ...children: (string | Node)[]): HTMLElement {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

let current: Lang = startLang();

/** What the address asks for, else what was chosen here before, else what the browser speaks. */
function startLang(): Lang {
  const known = [new URLSearchParams(location.search).get('lang'), localStorage.getItem('lang')].find((l) => l === 'ru' || l === 'en');
  return (known ?? navigator.language).toLowerCase().startsWith('ru') ? 'ru' : 'en';
}

/** Keeps the language for the next visit, and for a reload of an address that asks for another. */
function remember(lang: Lang): void {
  localStorage.setItem('lang', lang);
  const here = new URL(location.href);
  if (here.searchParams.get('lang') === lang) return;
  here.searchParams.set('lang', lang);
  history.replaceState(null, '', here);
}

export function lang(): Lang {
  return current;
}

export function t(key: Key, args?: Record<string, string>, of: Lang = current): string {
  return translate(of, key, args);
}

/** Where an error is explained, or the beginning of the explanations. */
export function helpLink(code = ''): string {
  return `help/index.html?lang=${current}${code && `#${code}`}`;
}

/** The page's own name. */
export const pageName = document.body.dataset['page'] ?? 'index';

/** Puts the page into a language, and keeps to it. */
export function speak(to: Lang): void {
  current = to;
  remember(to);
  document.documentElement.lang = to;
  document.title = `${t(`title_${pageName}` as Key)}: ${t('portal')}`;
  for (const e of document.querySelectorAll<HTMLElement>('[data-t]')) e.textContent = t(e.dataset['t'] as Key);
  for (const e of document.querySelectorAll<HTMLElement>('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset['tLabel'] as Key));
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset['lang'] === to));
  for (const a of document.querySelectorAll('nav a')) {
    if (a.getAttribute('href')?.split('?')[0] === `${pageName}.html`) a.setAttribute('aria-current', 'page');
  }
  find<HTMLAnchorElement>('help').href = helpLink();
}

/** Makes a place where files can be dropped. */
export function wireDrop(zone: HTMLElement, take: (files: File[]) => void): void {
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    zone.addEventListener(type, (e) => {
      e.preventDefault();
      zone.classList.toggle('over', type === 'dragenter' || type === 'dragover');
    });
  }
  zone.addEventListener('drop', (e) => take([...(e.dataTransfer?.files ?? [])]));
}

/** Terms and what they are, for a list of facts. */
export function facts(list: readonly [Key, string][]): HTMLElement[] {
  return list.flatMap(([key, value]) => [make('dt', '', t(key)), make('dd', '', value)]);
}

/** Points a link at data that was made here. */
export function offer(a: HTMLAnchorElement, data: Blob, name: string): void {
  URL.revokeObjectURL(a.href);
  a.href = URL.createObjectURL(data);
  a.download = name;
}
