// SPDX-License-Identifier: GPL-3.0-or-later
import { isObject, parseObject, type Reason } from '../../sdk/wire.js';
import { Faces, pattern, type FaceName } from '../faces.js';
import { STATUS, WHERE, type FromWorker, type SiteAnswer, type SiteQuestion, type ToWorker } from '../pipe.js';
import { showBeside } from './beside.js';

/** What the popup found out about the agent. */
type Finding = { key: string; good: boolean; next?: string; version?: string };

const language = chrome.i18n.getMessage('@@ui_locale').startsWith('ru') ? 'ru' : 'en';

const text = (key: string, ...args: string[]): string => chrome.i18n.getMessage(key, args);

function element(id: string): HTMLElement {
  const e = document.getElementById(id);
  if (!e) throw new Error(`status.html has no ${id}`);
  return e;
}

function show(id: string, words: string | undefined): void {
  element(id).textContent = words ?? '';
  element(id).hidden = !words;
}

/** Asks the agent how it is, over the same pipe as pages. Any answer, even a refusal, shows that it is there. */
function ask(): Promise<Finding> {
  return new Promise((resolve) => {
    const port = chrome.runtime.connect({ name: STATUS });
    const finish = (f: Finding): void => {
      clearTimeout(timer);
      port.disconnect();
      resolve(f);
    };
    const timer = setTimeout(() => finish(absent({ code: 'agent_not_running' })), 10_000);
    port.onMessage.addListener((m: FromWorker) => finish(m.kind === 'rpc' ? present(m.body) : absent(m.reason)));
    port.onDisconnect.addListener(() => finish(absent({ code: 'agent_not_running' })));
    const hello = { jsonrpc: '2.0', id: 1, method: 'agent.hello', params: { protocol: 'persten.v1' } };
    const message: ToWorker = { kind: 'rpc', body: JSON.stringify(hello) };
    port.postMessage(message);
  });
}

function present(body: string): Finding {
  const result = parseObject(body)?.['result'];
  const version = isObject(result) && typeof result['version'] === 'string' ? { version: result['version'] } : {};
  return { key: 'statusReady', good: true, ...version };
}

/** A reason that is not about reaching the agent came from the agent. */
function absent({ code }: Reason): Finding {
  const keys: Record<string, string> = {
    agent_not_installed: 'statusNotInstalled', agent_not_running: 'statusNotRunning',
    agent_lost: 'statusNotRunning', agent_forbidden: 'statusForbidden',
  };
  const key = keys[code];
  return key ? { key, good: false, next: text(`error_${code}_next`) } : { key: 'statusReady', good: true };
}

async function site(): Promise<string> {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  if (tab?.id === undefined) return text('siteUnsupported');
  const question: SiteQuestion = { kind: 'site', tab: tab.id };
  const { origin, state } = await chrome.runtime.sendMessage<SiteQuestion, SiteAnswer>(question);
  if (state === 'unasked' || origin === undefined) return text('siteUnasked');
  return text({ allowed: 'siteAllowed', unknown: 'siteUnknown', denied: 'siteDenied' }[state], origin);
}

async function refresh(): Promise<void> {
  element('agent').className = 'state';
  show('agent', text('statusConnecting'));
  for (const id of ['next', 'version', 'retry']) element(id).hidden = true;
  show('site', await site());
  const found = await ask();
  element('agent').className = found.good ? 'state good' : 'state bad';
  show('agent', text(found.key));
  show('next', found.next);
  show('version', found.version && text('statusVersion', found.version));
  element('retry').hidden = found.good;
}

/** The switches of the popup, which are also the names of their texts. */
const SWITCHES: Record<FaceName, string> = { cades: 'faceCades', rutoken: 'faceRutoken' };

/** The switches for standing in for other plug-ins, on the site of this tab. */
async function faces(): Promise<void> {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const id = tab?.id;
  if (id === undefined) return;
  const origin = await chrome.tabs.sendMessage<string, string>(id, WHERE, { frameId: 0 }).catch(() => undefined);
  if (origin === undefined) return;
  await showBeside(element('beside'), { tab: id, site: origin }, language, text);
  const site = pattern(origin);
  const { permissions, storage } = chrome;
  const all = new Faces({ scripting: chrome.scripting, permissions, local: storage.local, managed: storage.managed });
  const { on, policy } = await all.of(site);
  const permitted = await permissions.contains({ origins: [site] });
  for (const [face, name] of Object.entries(SWITCHES) as [FaceName, string][]) {
    const box = element(name) as HTMLInputElement;
    const byPolicy = policy.includes(face);
    box.checked = permitted && (byPolicy || on.includes(face));
    box.disabled = box.checked && byPolicy;
    // The choice is kept first: Firefox closes this popup when it asks for the permission, and the background then goes on alone.
    box.addEventListener('change', () => {
      if (!byPolicy) void all.choose(site, face, box.checked);
      if (box.checked) void permissions.request({ origins: [site] }).then((given) => (box.checked = given));
      show('reload', text('facesReload'));
    });
  }
  show('facesNote', policy.length > 0 ? `${text('facesNote')} ${text('facesPolicy')}` : text('facesNote'));
  element('faces').hidden = false;
  element('reload').addEventListener('click', () => void chrome.tabs.reload(id));
}

document.documentElement.lang = language;
show('title', text('statusTitle'));
show('siteHeading', text('siteHeading'));
show('facesHeading', text('facesHeading'));
for (const name of Object.values(SWITCHES)) show(`${name}Name`, text(name));
show('retry', text('actionRetry'));
show('extension', text('statusExtensionVersion', chrome.runtime.getManifest().version));
element('retry').addEventListener('click', () => void refresh());
void refresh();
void faces();
