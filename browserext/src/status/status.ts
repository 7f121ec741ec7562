// SPDX-License-Identifier: GPL-3.0-or-later
import { ask } from './agent.js';
import { showBeside } from './beside.js';
import { showFaces } from './faces.js';
import { page, showSite, type Page } from './site.js';
import { element, help, show } from './view.js';
import { choose, language, words, type Lang, type Words } from './words.js';

const IDS_OF_WORDS = {
  title: 'statusTitle', language: 'actionLanguage', retry: 'actionRetry', siteHeading: 'siteHeading', changeName: 'siteChange',
  changeHow: 'siteChangeHow', copy: 'actionCopy', requestsHeading: 'requestsHeading', facesHeading: 'facesHeading', help: 'actionHelp',
};

/** Shows the whole popup in a language. */
async function open(lang: Lang, where: Page | undefined): Promise<void> {
  const w = await words(lang);
  document.documentElement.lang = lang;
  for (const [id, key] of Object.entries(IDS_OF_WORDS)) element(id).textContent = w(key);
  element('language').lang = lang === 'ru' ? 'en' : 'ru';
  element<HTMLAnchorElement>('help').href = help(lang);
  show('extension', w('statusExtensionVersion', chrome.runtime.getManifest().version));
  element('language').onclick = () => {
    const other = lang === 'ru' ? 'en' : 'ru';
    void choose(other).then(() => open(other, where));
  };
  element('retry').onclick = () => void showAgent(lang, w);
  element('copy').onclick = () => void copy(w);
  document.body.hidden = false;
  await Promise.all([showSite(where?.site, w), showFaces(where, w), showBeside(element('beside'), where, lang, w), showAgent(lang, w)]);
}

async function showAgent(lang: Lang, w: Words): Promise<void> {
  element('agent').className = 'state';
  show('agent', w('statusConnecting'));
  for (const id of ['next', 'version', 'retry']) element(id).hidden = true;
  const found = await ask(lang, w);
  element('agent').className = found.good ? 'state good' : 'state bad';
  show('agent', found.state);
  show('next', found.next);
  const tokens = found.tokens === undefined ? '' : `\n${w('statusTokens', String(found.tokens))}`;
  show('version', found.version && w('statusVersion', found.version) + tokens);
  element('retry').hidden = found.good;
}

async function copy(w: Words): Promise<void> {
  await navigator.clipboard.writeText(element('command').textContent ?? '');
  element('copy').textContent = w('actionCopied');
}

void Promise.all([language(), page()]).then(([lang, where]) => open(lang, where));
