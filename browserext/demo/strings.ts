// SPDX-License-Identifier: MIT
import type { Lang } from '../sdk/index.js';
import { en } from './strings/en.js';
import { ru, type Key } from './strings/ru.js';

export type { Key };

const texts: Record<Lang, Record<Key, string>> = { ru, en };

/** Whether s is the key of a text; error codes may be. */
export function isKey(s: string): s is Key {
  return Object.hasOwn(ru, s);
}

export function translate(lang: Lang, key: Key, args: Record<string, string> = {}): string {
  return texts[lang][key].replace(/\{(\w+)\}/g, (_, name: string) => args[name] ?? '');
}

export function formatSize(lang: Lang, n: number): string {
  if (n < 1024) return translate(lang, 'bytes', { n: String(n) });
  const units = lang === 'ru' ? ['КБ', 'МБ', 'ГБ'] : ['KB', 'MB', 'GB'];
  const step = Math.min(Math.floor(Math.log2(n) / 10), units.length);
  const value = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(n / 1024 ** step);
  return `${value} ${units[step - 1] ?? ''}`;
}

export function formatTime(lang: Lang, d: Date): string {
  return new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'medium' }).format(d);
}

export function formatDate(lang: Lang, d: Date): string {
  return new Intl.DateTimeFormat(lang, { dateStyle: 'long' }).format(d);
}
