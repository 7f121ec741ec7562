// SPDX-License-Identifier: GPL-3.0-or-later

export type Lang = 'ru' | 'en';

/** Words of the popup by key. The browser's own i18n speaks the browser's language alone, and here the person chooses. */
export type Words = (key: string, ...args: string[]) => string;

interface Message {
  message: string;
  placeholders?: Record<string, { content: string }>;
}

const KEY = 'lang';

/** The language the person chose, or the browser's as far as we speak it. */
export async function language(): Promise<Lang> {
  const { [KEY]: chosen } = await chrome.storage.local.get(KEY);
  if (chosen === 'ru' || chosen === 'en') return chosen;
  return chrome.i18n.getMessage('@@ui_locale').startsWith('ru') ? 'ru' : 'en';
}

export function choose(lang: Lang): Promise<void> {
  return chrome.storage.local.set({ [KEY]: lang });
}

/** Reads the messages of a language, which the extension carries for the browser. Unknown keys are empty. */
export async function words(lang: Lang): Promise<Words> {
  const all = (await (await fetch(chrome.runtime.getURL(`_locales/${lang}/messages.json`))).json()) as Record<string, Message>;
  return (key, ...args) => {
    const { message = '', placeholders = {} } = (Object.hasOwn(all, key) && all[key]) || {};
    const filled = (name: string): string => args[Number(placeholders[name.toLowerCase()]?.content.slice(1)) - 1] ?? '';
    return message.replace(/\$(\w*)\$/g, (_, name: string) => (name === '' ? '$' : filled(name)));
  };
}
