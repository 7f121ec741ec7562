// SPDX-License-Identifier: MIT
import { PerstenError, type Lang } from './errors.js';

/** Plug-ins whose interface is not public: Persten works beside them and never answers in their name. */
export type OtherPluginName = keyof typeof OTHER_PLUGINS;

/** How people know these plug-ins, and where they get them. */
export const OTHER_PLUGINS = {
  gosuslugi: { ru: 'Плагин Госуслуг', en: 'Gosuslugi plug-in', url: 'https://ds-plugin.gosuslugi.ru/plugin/upload/Index.spr' },
  gosplugin: { ru: 'Госплагин', en: 'Gosplugin', url: 'https://www.gosuslugi.ru/landing/gosplugin' },
  kontur: { ru: 'Контур.Плагин', en: 'Kontur.Plugin', url: 'https://help.kontur.ru/plugin/' },
} as const;

/** What the marks in a page say of one of them. */
export interface OtherPlugin {
  plugin: OtherPluginName;
  /** The page is written for it. */
  needed: boolean;
  /** Its extension is in this browser and has reached its program. */
  installed: boolean;
  /** Of the library the page brings for it. */
  version?: string;
}

/**
 * Looks for the marks that these plug-ins and their sites leave in a page. Nothing is called and nothing is changed. It needs
 * nothing from outside itself: the extension also runs it in the page's own world, where the libraries of the page are seen.
 */
export function otherPlugins(): OtherPlugin[] {
  const has = (...selectors: string[]): boolean => document.querySelector(selectors.join()) !== null;
  const named = (...names: string[]): boolean => names.some((name) => name in window);
  const library = (window as { IFCPlugin?: unknown }).IFCPlugin;
  const version = typeof library === 'function' ? /libVersion\s*=\s*["']([\d.]{1,20})["']/.exec(String(library))?.[1] : undefined;
  const found: OtherPlugin[] = [
    {
      plugin: 'gosuslugi', installed: has('#ifc-plugin-is-installed'), ...(version && { version }),
      needed: named('IFCPlugin', 'IFCError') || has('object#IFCPlugin', 'object#NPIFCPlugin', 'object[type="application/x-ifcplugin"]'),
    },
    {
      plugin: 'gosplugin', installed: has('meta[property="gosuslugi.plugin.extension.content"]'),
      needed: named('gosuslugiPluginCrypto', 'gosuslugiPluginSystem') || has('meta[property="gosuslugi.plugin.extension.crypto"]', 'meta[property="gosuslugi.plugin.extension.system"]'),
    },
    {
      plugin: 'kontur', installed: has('meta[kontur-toolbox-installed]'),
      needed: /(^|\.)(kontur|kontur-ca|kontur-extern|testkontur)\.ru$/.test(location.hostname),
    },
  ];
  return found.filter((p) => p.needed || p.installed);
}

/** What there is to tell the person: two that disturb each other, or one the site needs and does not find. */
export function besideError(found: readonly OtherPlugin[], lang: Lang): PerstenError | undefined {
  const args = (of: readonly OtherPlugin[]): Record<string, string> => ({ plugin: of.map(({ plugin }) => OTHER_PLUGINS[plugin][lang]).join(', ') });
  const state = found.filter((p) => p.plugin !== 'kontur' && p.installed);
  if (state.length > 1) return new PerstenError({ code: 'other_plugin_conflict', args: args(state) }, lang);
  const missing = found.filter((p) => p.needed && !p.installed && (p.plugin === 'kontur' || state.length === 0)); // either of the state's two will do
  return missing.length > 0 ? new PerstenError({ code: 'other_plugin_needed', args: args(missing) }, lang) : undefined;
}
