// SPDX-License-Identifier: MIT

/** Brings the help page to life: one language at a time, and a search. It works as a file, in the extension and on a portal. */
import { type Entry, Knowledge } from './match.js';

type Lang = 'ru' | 'en';

const words = {
  ru: { title: 'Ошибки и что с ними делать — Persten', langs: 'Язык', found: (n: number) => (n ? `Найдено: ${n}` : 'Об этом здесь ничего нет. Попробуйте другие слова; команда persten doctor --bundle соберёт сведения для поддержки.') },
  en: { title: 'Errors and what to do about them: Persten', langs: 'Language', found: (n: number) => (n ? `Found: ${n}` : 'There is nothing about this here. Try other words; the command persten doctor --bundle collects what support needs.') },
};

const entries = [...document.querySelectorAll<HTMLElement>('article')];
const query = document.querySelector<HTMLInputElement>('#query');
const found = document.querySelector<HTMLElement>('#found');

/** What the address asks for, else what was chosen before, else what the browser speaks. */
function startLang(): Lang {
  const known = [new URLSearchParams(location.search).get('lang'), kept()].find((l) => l === 'ru' || l === 'en');
  return (known ?? navigator.language).toLowerCase().startsWith('ru') ? 'ru' : 'en';
}

/** Pages opened as files may have no storage. */
function kept(): string | null {
  try {
    return localStorage.getItem('lang');
  } catch {
    return null;
  }
}

function lang(): Lang {
  return document.documentElement.lang === 'ru' ? 'ru' : 'en';
}

function speak(to: Lang): void {
  document.documentElement.lang = to;
  document.documentElement.dataset['told'] = '';
  document.title = words[to].title;
  document.querySelector('#langs')?.setAttribute('aria-label', words[to].langs);
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) b.setAttribute('aria-pressed', String(b.dataset['lang'] === to));
  search();
}

/** The text of an entry in the language of the page, and its code. */
function textOf(entry: HTMLElement): string {
  const own = [...entry.querySelectorAll(`div[lang="${lang()}"], .said [lang="${lang()}"]`)].map((e) => e.textContent);
  return plain([entry.id, ...own].join(' '));
}

function plain(s: string): string {
  return s.toLowerCase().replaceAll('ё', 'е').replaceAll('_', ' ');
}

/** What an entry is found by, as the generator wrote it. */
function entryOf(article: HTMLElement): Entry {
  const list = (name: string) => article.dataset[name]?.split(', ').filter(Boolean) ?? [];
  const texts = [...article.querySelectorAll('.words li, .what, .said span')].map((e) => (e.textContent ?? '').replaceAll('…', ''));
  const kind = article.dataset['terms'] !== undefined ? 1 : /^[a-z_0-9]+$/.test(article.id) ? 0.97 : 0.94;
  return { id: article.id, kind, codes: [article.id, ...list('numbers').filter((n) => !n.startsWith('0x'))], terms: list('terms'), phrases: texts };
}

let knowledge: Knowledge | undefined;

/** Shows what the query is about, the likeliest first, and then the entries that have every word of it. */
function search(): void {
  const text = query?.value.trim() ?? '';
  const wanted = plain(text).split(/\s+/).filter(Boolean);
  const about = text === '' ? [] : (knowledge ??= new Knowledge(entries.map(entryOf))).find(text).slice(0, 10);
  let n = 0;
  for (const entry of entries) {
    const rank = about.indexOf(entry.id);
    entry.hidden = rank < 0 && wanted.length > 0 && !wanted.every((w) => textOf(entry).includes(w));
    entry.style.order = String(rank < 0 ? about.length : rank);
    if (!entry.hidden) n++;
  }
  document.documentElement.toggleAttribute('data-searching', text !== '');
  if (found) found.textContent = text === '' ? '' : words[lang()].found(n);
}

/** An address of one entry shows it, whatever was looked for before; codes are found in any spelling. */
function show(): void {
  const wanted = location.hash.slice(1);
  const entry = document.getElementById(wanted) ?? entries.find((e) => e.id.toLowerCase() === wanted.toLowerCase());
  if (!entry) return;
  if (query) query.value = '';
  search();
  entry.scrollIntoView();
}

for (const id of ['langs', 'search']) document.getElementById(id)?.removeAttribute('hidden');
for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) {
  b.addEventListener('click', () => {
    const to = b.dataset['lang'] === 'ru' ? 'ru' : 'en';
    try {
      localStorage.setItem('lang', to);
    } catch {
      // it holds for this visit only
    }
    speak(to);
  });
}
query?.addEventListener('input', search);
addEventListener('hashchange', show);
speak(startLang());
show();
