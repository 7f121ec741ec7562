// SPDX-License-Identifier: GPL-3.0-or-later
import { isObject, parseObject, type Reason } from '../../sdk/wire.js';
import { STATUS, type FromWorker, type ToWorker } from '../pipe.js';
import type { Lang, Words } from './words.js';

const PROTOCOL = 'persten.v1';

/** What the popup found out about the agent. */
export interface Finding {
  state: string;
  good: boolean;
  next?: string | undefined;
  version?: string | undefined;
  tokens?: number | undefined;
}

/** Asks the agent how it is, over the same pipe as pages. */
export function ask(lang: Lang, words: Words): Promise<Finding> {
  return new Promise((resolve) => {
    const port = chrome.runtime.connect({ name: STATUS });
    const finish = (f: Finding): void => {
      clearTimeout(timer);
      port.disconnect();
      resolve(f);
    };
    const gone = (): void => finish(absent({ code: 'agent_not_running' }, words));
    const timer = setTimeout(gone, 10_000);
    const call = (id: number, method: string, params: object): void => {
      const message: ToWorker = { kind: 'rpc', body: JSON.stringify({ jsonrpc: '2.0', id, method, params }) };
      port.postMessage(message);
    };
    port.onMessage.addListener((m: FromWorker) => {
      if (m.kind === 'close') return finish(absent(m.reason, words));
      const { id, result } = parseObject(m.body) ?? {};
      if (id === 2) return finish(present(result, words));
      if (isObject(result) && result['protocol'] === PROTOCOL) return call(2, 'agent.status', {});
      return finish(absent({ code: 'protocol_violation' }, words));
    });
    port.onDisconnect.addListener(gone);
    call(1, 'agent.hello', { protocol: PROTOCOL, lang, client: 'persten-popup' });
  });
}

/** An agent that answers is there, also when it does not say how it is. */
function present(status: unknown, words: Words): Finding {
  const { state, version, tokens, problems } = isObject(status) ? status : {};
  const problem: unknown = Array.isArray(problems) ? problems[0] : undefined;
  const said = isObject(problem) ? [problem['text'], problem['next']].filter((s) => typeof s === 'string').join(' ') : undefined;
  const keys: Record<string, string> = { busy: 'statusBusy', waiting: 'statusWaiting', problem: 'statusProblem', paused: 'statusPaused' };
  const key = (typeof state === 'string' && Object.hasOwn(keys, state) && keys[state]) || 'statusReady';
  return {
    state: words(key), good: key !== 'statusProblem' && key !== 'statusPaused',
    next: key === 'statusPaused' ? words('error_agent_paused_next') : said,
    version: typeof version === 'string' ? version : undefined, tokens: typeof tokens === 'number' ? tokens : undefined,
  };
}

/** Why there is no agent. A reason that is not about reaching it came from the agent itself. */
function absent({ code }: Reason, words: Words): Finding {
  const keys: Record<string, string> = {
    agent_not_installed: 'statusNotInstalled', agent_not_running: 'statusNotRunning', agent_lost: 'statusNotRunning',
    agent_forbidden: 'statusForbidden', protocol_violation: 'statusMismatch',
  };
  const key = keys[code];
  return key ? { state: words(key), good: false, next: words(`error_${code}_next`) } : { state: words('statusReady'), good: true };
}
