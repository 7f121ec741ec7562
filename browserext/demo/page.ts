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

export function t(key: Key, args?: Record<string, string>): string {
  return translate(current, key, args);
}

/** Puts the page into a language, and keeps to it. */
export function speak(to: Lang): void {
  current = to;
  remember(to);
  document.documentElement.lang = to;
  document.title = t('title');
  for (const e of document.querySelectorAll<HTMLElement>('[data-t]')) e.textContent = t(e.dataset['t'] as Key);
  for (const e of document.querySelectorAll<HTMLElement>('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset['tLabel'] as Key));
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset['lang'] === to));
}
