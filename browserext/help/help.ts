// SPDX-License-Identifier: MIT

/** Brings the help page to life: one language at a time, and a search. It works as a file, in the extension and on a portal. */
type Lang = 'ru' | 'en';

const words = {
  ru: { title: 'Ошибки и что с ними делать — Persten', langs: 'Язык', found: (n: number) => (n ? `Найдено: ${n}` : 'Ничего не найдено. Попробуйте другое слово или часть кода.') },
  en: { title: 'Errors and what to do about them: Persten', langs: 'Language', found: (n: number) => (n ? `Found: ${n}` : 'Nothing found. Try another word or a part of the code.') },
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
  const own = [...entry.querySelectorAll(`div[lang="${lang()}"]`)].map((e) => e.textContent);
  return plain([entry.id, ...own].join(' '));
}

function plain(s: string): string {
  return s.toLowerCase().replaceAll('ё', 'е').replaceAll('_', ' ');
}

/** Shows the entries that have every word of the query. */
function search(): void {
  const wanted = plain(query?.value ?? '').split(/\s+/).filter(Boolean);
  let n = 0;
  for (const entry of entries) {
    const text = wanted.length > 0 ? textOf(entry) : '';
    entry.hidden = !wanted.every((w) => text.includes(w));
    if (!entry.hidden) n++;
  }
  for (const section of document.querySelectorAll<HTMLElement>('main section')) section.hidden = !section.querySelector('article:not([hidden])');
  if (found) found.textContent = wanted.length > 0 ? words[lang()].found(n) : '';
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

export {};
