// SPDX-License-Identifier: GPL-3.0-or-later
import { besideError, OTHER_PLUGINS, otherPlugins, type OtherPlugin } from '../../sdk/beside.js';
import { BESIDE } from '../pipe.js';

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

/** Shows in a section what the person is to know of them, and the next click. text gives the popup's words. */
export function showBeside(section: HTMLElement, found: OtherPlugin[], lang: 'ru' | 'en', text: (key: string, ...args: string[]) => string): void {
  const error = besideError(found, lang);
  const present = found.filter((p) => p.needed && p.installed);
  const named = ({ plugin, version }: OtherPlugin): string => [OTHER_PLUGINS[plugin][lang], version].filter(Boolean).join(' ');
  const parts: HTMLElement[] = error ? [paragraph(error.message), paragraph(error.next)] : [];
  if (!error && present.length > 0) parts.push(paragraph(text('besidePresent', present.map(named).join(', '))));
  if (error?.code === 'other_plugin_needed') {
    for (const { plugin } of found.filter((p) => p.needed && !p.installed)) {
      const link = document.createElement('a');
      Object.assign(link, { href: OTHER_PLUGINS[plugin].url, target: '_blank', rel: 'noopener', textContent: text('besideGet', OTHER_PLUGINS[plugin][lang]) });
      const line = paragraph('');
      line.append(link);
      parts.push(line);
    }
  }
  section.replaceChildren(...parts);
  section.hidden = parts.length === 0;
}

function paragraph(words: string): HTMLElement {
  const p = document.createElement('p');
  p.textContent = words;
  return p;
}
