// SPDX-License-Identifier: MIT

/** The first page: everything a portal does to have a document signed, in the order a person does it. */
import type { SignedCms } from '../../sdk/index.js';
import { showFindings } from '../findings.js';
import { facts, find, lang, offer, t, wireDrop } from '../page.js';
import { notes, portal, start } from '../portal.js';
import { formatSize, formatTime } from '../strings.js';

let file: File | undefined;
let last: { result: SignedCms; document: Blob; name: string } | undefined;

function update(): void {
  find<HTMLButtonElement>('sign').disabled = !portal.ready;
  find<HTMLTextAreaElement>('text').disabled = file !== undefined;
  find('chosen').hidden = file === undefined;
  find('chosenName').textContent = file ? `${file.name}, ${formatSize(lang(), file.size)}` : '';
}

async function sign(): Promise<void> {
  const certificate = portal.certificate;
  const document = file ?? new Blob([find<HTMLTextAreaElement>('text').value], { type: 'text/plain' });
  if (!certificate) return;
  if (document.size === 0) {
    notes.clear();
    notes.showError({ code: 'empty', what: t('emptyDocument'), next: t('emptyDocumentNext') });
    return;
  }
  const attached = find<HTMLInputElement>('attached').checked;
  const name = file?.name ?? t('textName');
  await portal.run(async (signal, agent) => {
    const result = await agent.signCms(document, { certificate, attached, name, signal, onProgress: (step) => notes.showProgress(step) });
    last = { result, document, name };
    showResult();
    find('result').focus();
  });
}

function showResult(): void {
  if (!last) return;
  const { result, name } = last;
  find('facts').replaceChildren(...facts([
    ['signer', portal.nameOf(result.certificate)],
    ['time', formatTime(lang(), result.signingTime)],
    ['documentSize', `${name}, ${formatSize(lang(), result.size)}`],
    ['digest', `${result.digest} (${result.digestAlg})`],
    ['signatureSize', formatSize(lang(), result.signature.length)],
  ]));
  offer(find<HTMLAnchorElement>('download'), new Blob([result.signature], { type: 'application/pkcs7-signature' }), `${name}.p7s`);
  find('checked').replaceChildren();
  find('result').hidden = false;
}

async function check(): Promise<void> {
  if (!last) return;
  const { result, document } = last;
  const content = result.attached ? undefined : document;
  await showFindings(find('checked'), (page) => portal.persten!.verifyCms(new Blob([result.signature]), { content, page }));
}

function chooseFile(f: File | undefined): void {
  file = f;
  update();
}

function retell(): void {
  const text = find<HTMLTextAreaElement>('text');
  if (['', t('sample', {}, 'ru'), t('sample', {}, 'en')].includes(text.value)) text.value = t('sample');
  if (!find('result').hidden) showResult();
}

find('sign').addEventListener('click', () => void sign());
find('check').addEventListener('click', () => void check());
find('file').addEventListener('change', () => chooseFile(find<HTMLInputElement>('file').files?.[0]));
find('removeFile').addEventListener('click', () => {
  find<HTMLInputElement>('file').value = '';
  chooseFile(undefined);
});
wireDrop(find('drop'), (files) => chooseFile(files[0]));
void start({ update, retell });
