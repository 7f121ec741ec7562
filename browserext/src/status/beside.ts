// SPDX-License-Identifier: GPL-3.0-or-later
import { besideError, OTHER_PLUGINS, otherPlugins, type OtherPlugin } from '../../sdk/beside.js';
import type { Lang } from '../../sdk/errors.js';
import { pattern } from '../faces.js';
import { BESIDE } from '../pipe.js';
import type { Page } from './site.js';
import { make } from './view.js';
import type { Words } from './words.js';

/**
 * The plug-ins a tab's page shows marks of. The content script sees its elements; where the site is permitted anyway, because
 * a face is on there, the page's own libraries are seen as well. Nothing is injected anywhere else.
 */
export async function findBeside(tab: number, permitted: boolean): Promise<OtherPlugin[]> {
  const seen = await chrome.tabs.sendMessage<string, unknown>(tab, BESIDE, { frameId: 0 }).catch(() => undefined);
  if (!permitted) return cleaned(seen);
  const [inside] = await chrome.scripting.executeScript({ target: { tabId: tab }, world: 'MAIN', func: otherPlugins }).catch(() => []);
  return cleaned(inside?.result ?? seen);
}

/** The page may have put its hand to the answer: only what is understood is kept. */
function cleaned(found: unknown): OtherPlugin[] {
  if (!Array.isArray(found)) return [];
  return found.filter((p): p is OtherPlugin => typeof p === 'object' && p !== null && Object.hasOwn(OTHER_PLUGINS, p.plugin))
    .map(({ plugin, needed, installed, version }) => ({
      plugin, needed: needed === true, installed: installed === true, ...(/^[\d.]{1,20}$/.test(String(version)) && { version }),
    }));
}

/** Shows in a section what the person is to know of them about a page, and the next click. */
export async function showBeside(section: HTMLElement, page: Page | undefined, lang: Lang, words: Words): Promise<void> {
  section.hidden = true;
  if (!page) return;
  const permitted = await chrome.permissions.contains({ origins: [pattern(page.site)] });
  const parts = told(await findBeside(page.tab, permitted), lang, words);
  section.replaceChildren(...parts);
  section.hidden = parts.length === 0;
}

function told(found: OtherPlugin[], lang: Lang, words: Words): HTMLElement[] {
  const error = besideError(found, lang);
  const present = found.filter((p) => p.needed && p.installed);
  const named = ({ plugin, version }: OtherPlugin): string => [OTHER_PLUGINS[plugin][lang], version].filter(Boolean).join(' ');
  const parts: HTMLElement[] = error ? [make('p', error.message), make('p', error.advice)] : [];
  if (!error && present.length > 0) parts.push(make('p', words('besidePresent', present.map(named).join(', '))));
  if (error?.code === 'other_plugin_needed') {
    for (const { plugin } of found.filter((p) => p.needed && !p.installed)) {
      const link = document.createElement('a');
      Object.assign(link, { href: OTHER_PLUGINS[plugin].url, target: '_blank', rel: 'noopener', textContent: words('besideGet', OTHER_PLUGINS[plugin][lang]) });
      const line = make('p', '');
      line.append(link);
      parts.push(line);
    }
  }
  return parts;
}
