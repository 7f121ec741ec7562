// SPDX-License-Identifier: GPL-3.0-or-later
import { WHERE } from '../pipe.js';
import { Sites, type Request, type Standing } from '../sites.js';
import { element, help, make, show } from './view.js';
import type { Words } from './words.js';

/** The page under the popup: its tab, and its site when it is one that can use the agent. */
export interface Page {
  tab: number;
  site: string;
}

/** The browser does not show an extension without permission where a tab is; our content script in it says so itself. */
export async function page(): Promise<Page | undefined> {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  if (tab?.id === undefined) return undefined;
  const site = await chrome.tabs.sendMessage<string, string>(tab.id, WHERE, { frameId: 0 }).catch(() => undefined);
  return site === undefined ? undefined : { tab: tab.id, site };
}

/** Shows how the site and the frames inside it stand, the way to change that, and what they asked lately. */
export async function showSite(site: string | undefined, words: Words): Promise<void> {
  element('change').hidden = element('requests').hidden = true;
  if (site === undefined) {
    element('site').replaceChildren(make('p', words('siteUnsupported')));
    return;
  }
  const sites = new Sites(chrome.storage.session);
  const { standing, requests, frames } = await sites.of(site);
  const all: [string, Standing][] = [[site, standing]];
  for (const frame of frames) all.push([frame, (await sites.of(frame)).standing]);
  element('site').replaceChildren(...all.map(([origin, how]) => make('p', sentence(origin, how, words))));
  const decided = all.filter(([, how]) => how === 'allowed' || how === 'denied').map(([origin]) => origin);
  element('command').textContent = decided.map((origin) => `persten origins forget ${origin}`).join('\n');
  element('change').hidden = decided.length === 0;
  show('requestsNone', requests.length === 0 ? words('requestsNone') : undefined);
  element('requestList').replaceChildren(...requests.map((r) => line(r, words)));
  element('requests').hidden = standing === 'unasked';
}

function sentence(origin: string, standing: Standing, words: Words): string {
  const keys = { allowed: 'siteAllowed', unknown: 'siteUnknown', denied: 'siteDenied', unasked: 'siteUnasked' };
  return words(keys[standing], origin);
}

/** One request: when, what, and what came of it. */
function line(r: Request, words: Words): HTMLElement {
  const li = document.createElement('li');
  const time = make('time', new Date(r.at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }));
  time.setAttribute('datetime', new Date(r.at).toISOString());
  const from = r.frame === undefined ? '' : ` ${words('requestFrame', r.frame)}`;
  li.append(time, make('span', named(r.method, words) + from), outcome(r.outcome, words));
  return li;
}

/** What came of a request. An error leads to its place on the help page. */
function outcome(code: string, words: Words): HTMLElement {
  if (code === 'ok') return make('span', words('requestDone'), 'outcome good');
  const link = make('a', words(`error_${code}`) || code, 'outcome bad') as HTMLAnchorElement;
  link.href = help(document.documentElement.lang, code);
  link.target = '_blank';
  return link;
}

/** A method in words: sign.cms is requestSignCms. */
function named(method: string, words: Words): string {
  const key = method.replace(/(?:^|\.)([a-z])/g, (_, c: string) => c.toUpperCase());
  return words(`request${key}`) || words('requestOther');
}
