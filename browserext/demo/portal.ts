// SPDX-License-Identifier: MIT

/** What every page of the portal has: the connection, the certificates, the language, and one signature at a time. */
import { connect, detect, type Certificate, type Persten } from '../sdk/index.js';
import { chosenCertificate, showCertificates } from './certificates.js';
import { Notes, wordsOf } from './notes.js';
import { find, lang, speak, t } from './page.js';
import type { Key } from './strings.js';

/** What a page adds to it. */
export interface Page {
  /** The connection, its certificates or the choice changed, or a signature began or ended. */
  update?(): void;
  /** The page is in another language now; what was written before is to be said again. */
  retell?(): void;
}

const query = new URLSearchParams(location.search);
const port = query.has('port') ? Number(query.get('port')) : undefined;
const transport = query.get('transport') === 'websocket' ? 'websocket' as const : undefined;

let persten: Persten | undefined;
let certificates: readonly Certificate[] = [];
let working: AbortController | undefined;
let status: { key: Key; look: '' | 'good' | 'bad' } = { key: 'looking', look: '' };
let page: Page = {};
export const notes = new Notes();

export const portal = {
  get persten(): Persten | undefined {
    return persten;
  },
  get certificates(): readonly Certificate[] {
    return certificates;
  },
  /** The id of the chosen certificate. */
  get certificate(): string | undefined {
    return chosenCertificate();
  },
  get busy(): boolean {
    return working !== undefined;
  },
  /** Whether there is everything that a signature needs. */
  get ready(): boolean {
    return persten !== undefined && working === undefined && chosenCertificate() !== undefined;
  },
  nameOf(certificate: string): string {
    return certificates.find((c) => c.id === certificate)?.name ?? certificate;
  },
  /** Runs one piece of work at a time; the button "Cancel" aborts its signal. What goes wrong is told below the buttons. */
  async run(work: (signal: AbortSignal, agent: Persten) => Promise<void>): Promise<void> {
    if (!persten || working) return;
    working = new AbortController();
    notes.clear();
    notes.showProgress('sending');
    update();
    try {
      await work(working.signal, persten);
    } catch (e) {
      notes.showError(wordsOf(e));
    } finally {
      working = undefined;
      notes.endProgress();
      update();
    }
  },
};

function showStatus(key: Key, look: '' | 'good' | 'bad' = ''): void {
  status = { key, look };
  find('status').className = `status ${look}`;
  find('statusText').textContent = t(key, persten ? { version: persten.agent.version } : {});
  find('connect').hidden = look === 'good' || key === 'connecting' || key === 'answerQuestion';
}

async function open(): Promise<void> {
  notes.clear();
  persten?.close();
  persten = undefined;
  showStatus('connecting');
  try {
    persten = await connect({ lang: lang(), port, transport, client: 'persten-demo', onWaiting: () => showStatus('answerQuestion') });
  } catch (e) {
    showStatus('absent', 'bad');
    notes.showError(wordsOf(e));
    return;
  }
  persten.on('tokens.changed', () => void list(false));
  persten.on('disconnected', () => showStatus('absent', 'bad'));
  persten.on('connected', () => connected());
  connected();
}

function connected(): void {
  showStatus(persten?.transport === 'extension' ? 'connectedExtension' : 'connectedWebSocket', 'good');
  void list(false);
}

async function list(refresh: boolean): Promise<void> {
  try {
    certificates = (await persten?.certificates({ refresh })) ?? [];
  } catch (e) {
    notes.showError(wordsOf(e));
  }
  showCertificates(certificates, chosenCertificate());
  update();
}

function update(): void {
  const cancel = document.getElementById('cancel');
  if (cancel) cancel.hidden = !working;
  page.update?.();
}

/** Says everything again in another language; the agent's own texts follow at the next connection. */
function retell(to: 'ru' | 'en'): void {
  speak(to);
  showStatus(status.key, status.look);
  if (persten) showCertificates(certificates, chosenCertificate());
  page.retell?.();
  update();
}

/** Brings the page to life and looks for the agent. */
export async function start(p: Page): Promise<void> {
  page = p;
  find('connect').addEventListener('click', () => void open());
  document.getElementById('refresh')?.addEventListener('click', () => void list(true));
  document.getElementById('cards')?.addEventListener('change', update);
  document.getElementById('cancel')?.addEventListener('click', () => working?.abort());
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) {
    b.addEventListener('click', () => retell(b.dataset['lang'] === 'ru' ? 'ru' : 'en'));
  }
  retell(lang());
  const found = await detect({ port, transport, lang: lang() });
  if (found.permission === 'prompt') showStatus('pressConnect');
  else if (['ready', 'agent_paused', 'origin_not_allowed'].includes(found.state)) await open();
  else {
    showStatus('absent', 'bad');
    notes.showError({ code: found.code, what: found.text, next: found.advice, help: found.code });
  }
}
