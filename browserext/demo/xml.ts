// SPDX-License-Identifier: MIT

/** The portal's other kind of document: XML, signed as a whole or by the Id of an element. */
import type { Persten, SignedXml, SignXmlOptions } from '../sdk/index.js';
import { showFindings } from './findings.js';
import { Notes, wordsOf } from './notes.js';
import { find, lang, make, t } from './page.js';
import { formatSize, formatTime, type Key } from './strings.js';

/** What the section needs of the page. */
export interface Page {
  persten(): Persten | undefined;
  certificate(): string | undefined;
  nameOf(certificate: string): string;
  /** Runs one signature at a time; work gets the signal of the "Cancel" buttons. */
  busy(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

const notes = new Notes('xml');
let last: SignedXml | undefined;

const byId = (): boolean => find<HTMLInputElement>('xmlById').checked;

/** What was chosen in the section, as the SDK wants it. */
function form(): Pick<SignXmlOptions, 'mode' | 'profile' | 'references'> {
  const profile = find<HTMLSelectElement>('xmlProfile').value === 'dsig' ? 'dsig' : 'xades-bes';
  if (!byId()) return { mode: 'enveloped', profile };
  return { mode: 'detached', profile, references: [find<HTMLInputElement>('xmlId').value.trim()] };
}

async function sign(page: Page): Promise<void> {
  const [persten, certificate] = [page.persten(), page.certificate()];
  if (!persten || !certificate) return;
  notes.clear();
  const xml = find<HTMLTextAreaElement>('xmlText').value;
  if (xml.trim() === '' || (byId() && find<HTMLInputElement>('xmlId').value.trim() === '')) {
    const [what, next] = xml.trim() === '' ? ['emptyDocument', 'emptyXmlNext'] as const : ['emptyId', 'emptyIdNext'] as const;
    notes.showError({ code: 'empty', what: t(what), next: t(next) });
    return;
  }
  notes.showProgress('sending');
  await page.busy(async (signal) => {
    try {
      last = await persten.signXml({ text: xml }, {
        certificate, ...form(), name: t('xmlName'), mime: 'application/xml', signal, onProgress: (step) => notes.showProgress(step),
      });
      find<HTMLTextAreaElement>('xmlSigned').value = new TextDecoder().decode(last.document);
      showXml(page);
      find('xmlResult').focus();
    } catch (e) {
      notes.showError(wordsOf(e));
    } finally {
      notes.endProgress();
    }
  });
}

/** Shows the last result, in the language of the page. */
export function showXml(page: Page): void {
  if (!last) return;
  const facts: [Key, string][] = [
    ['signer', page.nameOf(last.certificate)],
    ['time', formatTime(lang(), last.signingTime)],
    ['documentSize', formatSize(lang(), last.document.length)],
  ];
  find('xmlFacts').replaceChildren(...facts.flatMap(([key, value]) => [make('dt', '', t(key)), make('dd', '', value)]));
  find('xmlChecked').replaceChildren();
  find('xmlResult').hidden = false;
  link();
}

/** Points "Download" at what the field holds, which the person may have changed. */
function link(): void {
  const a = find<HTMLAnchorElement>('xmlDownload');
  URL.revokeObjectURL(a.href);
  a.href = URL.createObjectURL(new Blob([find<HTMLTextAreaElement>('xmlSigned').value], { type: 'application/xml' }));
  a.download = t('xmlSignedName');
}

function check(page: Page): Promise<void> {
  const xml = find<HTMLTextAreaElement>('xmlSigned').value;
  return showFindings(find('xmlChecked'), (form) => page.persten()!.verifyXml({ text: xml }, { page: form }));
}

/** Brings the section to life. */
export function wireXml(page: Page): void {
  find('xmlSign').addEventListener('click', () => void sign(page));
  find('xmlCheck').addEventListener('click', () => void check(page));
  find('xmlSigned').addEventListener('input', () => {
    find('xmlChecked').replaceChildren();
    link();
  });
  for (const id of ['xmlWhole', 'xmlById']) {
    find(id).addEventListener('change', () => {
      find('xmlIdLine').hidden = !byId();
    });
  }
}
