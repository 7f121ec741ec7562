// SPDX-License-Identifier: GPL-3.0-or-later

export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error(`status.html has no ${id}`);
  return e as T;
}

/** Shows words in an element, and hides one that has none. */
export function show(id: string, words: string | undefined): void {
  element(id).textContent = words ?? '';
  element(id).hidden = !words;
}

/** Makes an element of a kind with text in it. */
export function make(tag: string, text: string, className = ''): HTMLElement {
  const e = document.createElement(tag);
  e.textContent = text;
  e.className = className;
  return e;
}

/** The address of the help page, which the extension carries, or of an error on it. */
export function help(lang: string, code?: string): string {
  return `../help/index.html?lang=${lang}${code ? `#${encodeURIComponent(code)}` : ''}`;
}
