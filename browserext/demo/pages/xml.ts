// SPDX-License-Identifier: MIT

/** The portal's other kind of document: XML, signed as a whole or by the Id of an element. */
import type { SignedXml, SignXmlOptions } from '../../sdk/index.js';
import { showFindings } from '../findings.js';
import { facts, find, lang, offer, t } from '../page.js';
import { notes, portal, start } from '../portal.js';
import { formatSize, formatTime, type Key } from '../strings.js';

let last: SignedXml | undefined;

const byId = (): boolean => find<HTMLInputElement>('xmlById').checked;
const id = (): string => find<HTMLInputElement>('xmlId').value.trim();
const signed = (): HTMLTextAreaElement => find<HTMLTextAreaElement>('xmlSigned');

/** What was chosen, as the SDK wants it. */
function form(): Pick<SignXmlOptions, 'mode' | 'profile' | 'references'> {
  const profile = find<HTMLSelectElement>('xmlProfile').value === 'dsig' ? 'dsig' : 'xades-bes';
  return byId() ? { mode: 'detached', profile, references: [id()] } : { mode: 'enveloped', profile };
}

/** What is missing yet, and what to do about it. */
function missing(xml: string): [Key, Key] | undefined {
  if (xml.trim() === '') return ['emptyDocument', 'emptyXmlNext'];
  return byId() && id() === '' ? ['emptyId', 'emptyIdNext'] : undefined;
}

async function sign(): Promise<void> {
  const certificate = portal.certificate;
  if (!certificate) return;
  const xml = find<HTMLTextAreaElement>('xmlText').value;
  const lack = missing(xml);
  if (lack) {
    notes.clear();
    notes.showError({ code: 'empty', what: t(lack[0]), next: t(lack[1]) });
    return;
  }
  await portal.run(async (signal, agent) => {
    last = await agent.signXml({ text: xml }, {
      certificate, ...form(), name: t('xmlName'), mime: 'application/xml', signal, onProgress: (step) => notes.showProgress(step),
    });
    signed().value = new TextDecoder().decode(last.document);
    showResult();
    find('result').focus();
  });
}

function showResult(): void {
  if (!last) return;
  find('facts').replaceChildren(...facts([
    ['signer', portal.nameOf(last.certificate)],
    ['time', formatTime(lang(), last.signingTime)],
    ['documentSize', formatSize(lang(), last.document.length)],
  ]));
  find('checked').replaceChildren();
  find('result').hidden = false;
  link();
}

/** Points "Download" at what the field holds, which the person may have changed. */
function link(): void {
  offer(find<HTMLAnchorElement>('download'), new Blob([signed().value], { type: 'application/xml' }), t('xmlSignedName'));
}

function retell(): void {
  const text = find<HTMLTextAreaElement>('xmlText');
  if (['', t('xmlSample', {}, 'ru'), t('xmlSample', {}, 'en')].includes(text.value)) text.value = t('xmlSample');
  if (!find('result').hidden) showResult();
}

find('sign').addEventListener('click', () => void sign());
find('check').addEventListener('click', () => void showFindings(find('checked'), (page) => portal.persten!.verifyXml({ text: signed().value }, { page })));
find('xmlSigned').addEventListener('input', () => {
  find('checked').replaceChildren();
  link();
});
for (const choice of ['xmlWhole', 'xmlById']) {
  find(choice).addEventListener('change', () => {
    find('xmlIdLine').hidden = !byId();
  });
}
void start({
  update: () => {
    find<HTMLButtonElement>('sign').disabled = !portal.ready;
  },
  retell,
});
