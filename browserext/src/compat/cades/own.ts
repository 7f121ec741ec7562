// SPDX-License-Identifier: GPL-3.0-or-later
import { constants } from './constants.js';
import type { Plugin } from './plugin.js';

/** The script whose members the object below has. */
const VERSION = '2.4.5';

type Spawned = Generator<unknown, unknown, unknown>;

/** What a page may have set before, to be called when the plug-in is there or not. */
export interface Callbacks {
  cadesplugin_extension_loaded_callback?: () => void;
  cadesplugin_plugin_loaded_callback?: () => void;
  cadesplugin_timeout_failed_callback?: () => void;
}

/**
 * What a page finds as `cadesplugin` where the vendor's script itself could not be loaded: a promise of the plug-in with the
 * same members.
 */
export function ownPlugin(plugin: Plugin, there: () => Promise<boolean>, page: Callbacks = {}): Promise<void> {
  const ready = there().then((yes) => {
    if (!yes) {
      page.cadesplugin_timeout_failed_callback?.();
      throw new Error('Persten недоступен');
    }
    page.cadesplugin_extension_loaded_callback?.();
    page.cadesplugin_plugin_loaded_callback?.();
  });
  ready.catch(() => undefined); // the page may never look at it
  return Object.assign(ready, constants(), {
    JSModuleVersion: VERSION,
    current_log_level: 1,
    CreateObjectAsync: plugin.CreateObjectAsync,
    ReleasePluginObjects: plugin.ReleasePluginObjects,
    async_spawn: spawn,
    getLastError: lastError,
    set: () => undefined,
    set_log_level: () => undefined,
    is_capilite_enabled: () => false,
    get_extension_version: (say: (version: string) => void) => say(EXTENSION_VERSION),
    get_extension_id: (say: (id: string) => void) => say(EXTENSION_ID),
  });
}

/** What pages tell the vendor's extensions apart by, if they ask. */
export const EXTENSION_VERSION = '1.3.17';
export const EXTENSION_ID = 'persten.agent';

/** Runs a generator of promises; its arguments arrive as one list. */
async function spawn(generate: (args: unknown[]) => Spawned, ...args: unknown[]): Promise<unknown> {
  const steps = generate(args);
  let step = steps.next();
  while (!step.done) {
    let value: unknown;
    try {
      value = await step.value;
    } catch (e) {
      step = steps.throw(e);
      continue;
    }
    step = steps.next(value);
  }
  return step.value;
}

/** The text of an error, which is a string for pages. */
function lastError(e: unknown): unknown {
  const { message, number } = (typeof e === 'object' && e !== null ? e : {}) as { message?: string; number?: number };
  if (!message) return e;
  return number ? `${message} (0x${(number >>> 0).toString(16).toUpperCase()})` : message;
}
