// SPDX-License-Identifier: GPL-3.0-or-later
import { sleep } from '../../../sdk/transport.js';
import { EXTENSION_ID, EXTENSION_VERSION, ownPlugin, type Callbacks } from './own.js';
import type { Plugin } from './plugin.js';

/** The file of the vendor's extension that its scripts load into the page; every browser's has its own address. */
const FILE = /^(chrome|moz|safari|safari-web|ms-browser)-extension:\/\/[\w/-]+\/nmcades_plugin_api\.js$/i;
/** Firefox's scripts load the file from an address they are told; ours is never loaded, only recognized. */
const OUR_FILE = 'moz-extension://persten/nmcades_plugin_api.js';
const ECHO = 'cadesplugin_echo_request';
const LOADED = 'cadesplugin_loaded';
/** Ids the vendor's newer extension listens by. */
const VENDOR_IDS = ['pfhgbfnnjiafkhfdkmpiflachepdcjod'];
/** The vendor's content script runs when the document is idle, a little after it was parsed. */
const IDLE = 500;
const ANSWER = 200;

/** The vendor's script as sites name it. */
const SCRIPT = /\/cadesplugin_api[\w.-]*\.js([?#]|$)/i;

/** Versions of it that in Firefox still look for a plug-in of the kind Firefox no longer has. */
const OLD = /^2\.(0(\.|$)|1\.0$)/;

type Vendor = object & { set?: (plugin: Plugin) => void; JSModuleVersion?: string };

export interface CadesWindow extends Window, Callbacks {
  cpcsp_chrome_nmcades?: unknown;
  cadesplugin?: Vendor | undefined;
  HTMLScriptElement: typeof HTMLScriptElement;
}

/**
 * Whose page this is. The vendor's own extension may be there too; then everything is left to it. It announces itself when it
 * is loaded and answers an echo, as this face does, so it is waited for before this face answers anything.
 */
class Ownership {
  /** Messages of this face on their way through the page's own queue. */
  private readonly said: string[] = [];
  private foreign = false;
  private decided: Promise<boolean> | undefined;

  constructor(private readonly page: Window, onecho: () => void, onask: (what: string) => void) {
    page.addEventListener('message', (event) => {
      if (event.source !== page || typeof event.data !== 'string') return;
      const text = event.data;
      const at = this.said.indexOf(text);
      if (at >= 0) this.said.splice(at, 1);
      else if (text.startsWith(LOADED)) this.foreign = true;
      else if (text.startsWith(ECHO)) onecho();
      else if (/^cadesplugin_extension_(version|id)_request$/.test(text)) onask(text);
    });
  }

  /** Somebody else set what only the vendor's extension sets. */
  yield(): void {
    this.foreign = true;
  }

  /** Whether the page is ours, once that is clear. */
  ours(): Promise<boolean> {
    this.decided ??= this.probe();
    return this.decided;
  }

  say(text: string): void {
    this.said.push(text);
    this.page.postMessage(text, this.page.location.origin);
  }

  private async probe(): Promise<boolean> {
    await parsed(this.page.document);
    if (this.page.document.readyState !== 'complete') await sleep(IDLE);
    for (const text of [ECHO, ...VENDOR_IDS.map((id) => `${ECHO}_${id}`)]) this.say(text);
    await sleep(ANSWER);
    return !this.foreign;
  }
}

function parsed(document: Document): Promise<void> {
  return new Promise((resolve) => {
    if (document.readyState !== 'loading') resolve();
    else document.addEventListener('DOMContentLoaded', () => resolve(), { once: true });
  });
}

/**
 * Stands in the page for the vendor's extension: scripts of any version that portals carry find it as they would find that one.
 * Nothing is done when somebody was here first. The agent is asked for by there when a script checks the plug-in.
 */
export function enter(page: CadesWindow, plugin: Plugin, there: () => Promise<boolean>): void {
  if (page.cpcsp_chrome_nmcades !== undefined || page.cadesplugin !== undefined) return;
  const firefox = /firefox/i.test(page.navigator.userAgent);
  const owner = new Ownership(page, answer, tell);
  let isOurs = false;
  const ours = async (): Promise<boolean> => (isOurs = await owner.ours());

  async function answer(): Promise<void> {
    if (await ours()) owner.say(firefox ? `${LOADED}url:${OUR_FILE}` : LOADED);
  }

  async function tell(what: string): Promise<void> {
    if (await ours()) owner.say(what.replace('_request', `_response:${what.includes('version') ? EXTENSION_VERSION : EXTENSION_ID}`));
  }

  async function check(loaded: () => void, failed: (why: string) => void): Promise<void> {
    if (!(await there())) {
      failed('Persten недоступен');
      return;
    }
    page.cadesplugin?.set?.(plugin);
    loaded();
  }

  const own = (): Vendor => ownPlugin(plugin, async () => (await ours()) && there(), page);
  const api = {
    check_chrome_plugin: (loaded: () => void, failed: (why: string) => void) => void check(loaded, failed),
    CreatePluginObject: () => Promise.resolve(plugin),
    ReleasePluginObjects: () => plugin.ReleasePluginObjects(),
  };
  Object.defineProperty(page, 'cpcsp_chrome_nmcades', {
    configurable: true, enumerable: true,
    get: () => (isOurs ? api : undefined),
    set: (value: unknown) => {
      if (isOurs) return;
      owner.yield();
      Object.defineProperty(page, 'cpcsp_chrome_nmcades', { configurable: true, enumerable: true, writable: true, value });
    },
  });
  // A script of the vendor's that cannot be loaded leaves its page without the object; ours is there until one of the page's own is.
  page.document.addEventListener('error', ({ target }) => {
    if (!(target instanceof HTMLScriptElement) || !SCRIPT.test(target.src) || page.cadesplugin !== undefined) return;
    page.cadesplugin = own();
  }, true);
  if (firefox) replaceOld(page, own);
  intercept(page.HTMLScriptElement.prototype, async (script, load) => {
    if (await ours()) script.dispatchEvent(new Event('load'));
    else load();
  });
}

/** Puts our object in the place of one that an old script made and that would never find anything. */
function replaceOld(page: CadesWindow, own: () => Vendor): void {
  let theirs: Vendor | undefined;
  let ours: Vendor | undefined;
  Object.defineProperty(page, 'cadesplugin', {
    configurable: true, enumerable: true,
    get: () => (OLD.test(theirs?.JSModuleVersion ?? '') ? (ours ??= own()) : theirs),
    set: (v: Vendor | undefined) => (theirs = v),
  });
}

/** Keeps script elements from loading the vendor's file; take decides what becomes of each. */
function intercept(proto: HTMLScriptElement, take: (script: HTMLScriptElement, load: () => void) => Promise<void>): void {
  const { get, set } = Object.getOwnPropertyDescriptor(proto, 'src') ?? {};
  const { setAttribute } = proto;
  if (!get || !set) return;
  Object.defineProperty(proto, 'src', {
    configurable: true, enumerable: true, get,
    set(this: HTMLScriptElement, v: unknown) {
      if (FILE.test(String(v))) void take(this, () => set.call(this, v));
      else set.call(this, v);
    },
  });
  Object.defineProperty(proto, 'setAttribute', {
    configurable: true, enumerable: false, writable: true,
    value(this: HTMLScriptElement, name: string, v: string) {
      if (String(name).toLowerCase() === 'src' && FILE.test(String(v))) void take(this, () => setAttribute.call(this, name, v));
      else setAttribute.call(this, name, v);
    },
  });
}
