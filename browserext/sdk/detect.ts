// SPDX-License-Identifier: MIT
import { attempt, findExtension, pageLang, type WayOptions } from './connect.js';
import { PerstenError, type Code, type Lang } from './errors.js';
import { metAgent } from './proof.js';
import type { Announcement } from './wire.js';
import { loopbackState } from './websocket.js';

/** How things stand with Persten on this page. */
export type State =
  | 'ready' | 'not_installed' | 'extension_missing' | 'agent_not_running' | 'agent_paused' | 'blocked_by_browser' | 'insecure_page'
  | 'origin_not_allowed' | 'not_our_agent' | 'other_user' | 'version_too_old';

/** Exactly one state, with words for the person. */
export interface Detected {
  state: State;
  /** The state, or the finer code of the error catalogue behind it. */
  code: Code | 'ready';
  /** What was found, in the language of the page. */
  text: string;
  /** What the person can do now; empty when nothing need be done. */
  advice: string;
  /** The way that was found, or that was tried last. */
  transport: 'extension' | 'websocket' | 'none';
  /** With `blocked_by_browser`, when it is the browser's permission: `prompt` means that connect, called from a click, gets it asked for. */
  permission?: 'prompt' | 'denied';
  /** The agent's, when it told. */
  version?: string;
}

/** Codes of errors on the way to the agent, as states. Whatever else goes wrong there is an agent that does not serve now. */
const STATES: Readonly<Record<string, State>> = {
  agent_not_installed: 'not_installed',
  extension_missing: 'extension_missing', extension_reloaded: 'extension_missing',
  agent_paused: 'agent_paused',
  browser_permission: 'blocked_by_browser', browser_permission_needed: 'blocked_by_browser', page_policy: 'blocked_by_browser', agent_forbidden: 'blocked_by_browser',
  context_insecure: 'insecure_page',
  origin_not_allowed: 'origin_not_allowed', origin_denied: 'origin_not_allowed', origin_invalid: 'origin_not_allowed',
  agent_unknown: 'not_our_agent', not_our_agent: 'not_our_agent',
  other_user: 'other_user',
  version_too_old: 'version_too_old', protocol_violation: 'version_too_old', request_unknown_method: 'version_too_old',
};

const READY = { ru: 'Persten готов к работе.', en: 'Persten is ready.' };

/**
 * Finds out how things stand without asking anybody anything: neither the browser nor the agent opens a window, so it may run
 * when the page loads. Rejects only when its signal is aborted.
 */
export async function detect(o: WayOptions = {}): Promise<Detected> {
  const lang = o.lang ?? pageLang();
  const found = await findExtension(o);
  try {
    const { connection, hello } = await attempt(o, lang, found, undefined);
    connection.close();
    const { version, paused } = hello;
    if (paused) return { ...worded(new PerstenError({ code: 'agent_paused' }, lang)), transport: connection.kind, version };
    return { state: 'ready', code: 'ready', text: READY[lang], advice: '', transport: connection.kind, version };
  } catch (e) {
    if (!(e instanceof PerstenError)) throw e;
    return whyNot(refined(e, found, o, lang), found);
  }
}

/** Where nothing answers, what this site met before tells what is missing. */
function refined(e: PerstenError, found: Announcement | undefined, { transport }: WayOptions, lang: Lang): PerstenError {
  if (found || (e.code !== 'agent_not_running' && e.code !== 'agent_not_installed')) return e;
  const met = metAgent()?.via;
  if (transport === 'extension' || (met === 'extension' && transport === undefined)) return new PerstenError({ code: 'extension_missing' }, lang);
  return met ? e : new PerstenError({ code: 'agent_not_installed' }, lang);
}

async function whyNot(e: PerstenError, found: Announcement | undefined): Promise<Detected> {
  const told: Detected = { ...worded(e), transport: e.code === 'context_insecure' ? 'none' : found ? 'extension' : 'websocket' };
  const { version } = e.args;
  if (version) told.version = version;
  if (e.code === 'browser_permission' || e.code === 'browser_permission_needed') {
    told.permission = (await loopbackState()) === 'denied' ? 'denied' : 'prompt';
  }
  return told;
}

function worded(e: PerstenError): Pick<Detected, 'state' | 'code' | 'text' | 'advice'> {
  const state = Object.hasOwn(STATES, e.code) ? STATES[e.code]! : 'agent_not_running';
  return { state, code: e.code, text: e.text, advice: e.advice };
}
