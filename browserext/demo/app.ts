// SPDX-License-Identifier: MIT

/** A portal in small: everything a real one does with Persten, in the order a person does it. */
import { connect, detect, type Certificate, type Persten, type SignedCms } from '../sdk/index.js';
import { chosenCertificate, showCertificates } from './certificates.js';
import { showFindings } from './findings.js';
import { Notes, wordsOf } from './notes.js';
import { find, lang, make, speak, t } from './page.js';
import { formatSize, formatTime, type Key } from './strings.js';
import { showXml, wireXml, type Page } from './xml.js';

const query = new URLSearchParams(location.search);
const port = query.has('port') ? Number(query.get('port')) : undefined;
const transport = query.get('transport') === 'websocket' ? 'websocket' as const : undefined;

let persten: Persten | undefined;
let certificates: Certificate[] = [];
let file: File | undefined;
let signing: AbortController | undefined;
let last: { result: SignedCms; document: Blob; name: string } | undefined;
const notes = new Notes();
let status: { key: Key; look: '' | 'good' | 'bad' } = { key: 'looking', look: '' };

function showStatus(key: Key, look: '' | 'good' | 'bad' = ''): void {
  status = { key, look };
  find('status').className = `status ${look}`;
  find('statusText').textContent = t(key, persten ? { version: persten.agent.version } : {});
  find('connect').hidden = look === 'good' || key === 'connecting' || key === 'answerQuestion';
}

function update(): void {
  const busy = signing !== undefined;
  for (const id of ['sign', 'xmlSign']) find<HTMLButtonElement>(id).disabled = busy || !persten || !chosenCertificate();
  for (const id of ['cancel', 'xmlCancel']) find(id).hidden = !busy;
  find<HTMLButtonElement>('verify').disabled = !persten || !find<HTMLInputElement>('signatureFile').files?.length;
  find<HTMLTextAreaElement>('text').disabled = file !== undefined;
  find('chosen').hidden = file === undefined;
  find('chosenName').textContent = file ? `${file.name}, ${formatSize(lang(), file.size)}` : '';
}

async function open(): Promise<void> {
  find('error').hidden = true;
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

/** Runs one signature at a time. */
async function busy(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  signing = new AbortController();
  update();
  try {
    await work(signing.signal);
  } finally {
    signing = undefined;
    update();
  }
}

async function sign(): Promise<void> {
  const certificate = chosenCertificate();
  const document = file ?? new Blob([find<HTMLTextAreaElement>('text').value], { type: 'text/plain' });
  notes.clear();
  if (!persten || !certificate) return;
  const agent = persten;
  if (document.size === 0) {
    notes.showError({ code: 'empty', what: t('emptyDocument'), next: t('emptyDocumentNext') });
    return;
  }
  notes.showProgress('sending');
  const attached = find<HTMLInputElement>('attached').checked;
  const name = file?.name ?? t('textName');
  await busy(async (signal) => {
    try {
      const onProgress = notes.showProgress.bind(notes);
      const result = await agent.signCms(document, { certificate, attached, name, signal, onProgress });
      last = { result, document, name };
      showResult();
      find('result').focus();
    } catch (e) {
      notes.showError(wordsOf(e));
    } finally {
      notes.endProgress();
    }
  });
}

function nameOf(certificate: string): string {
  return certificates.find((c) => c.id === certificate)?.name ?? certificate;
}

function showResult(): void {
  if (!last) return;
  const { result, name } = last;
  const facts: [Key, string][] = [
    ['signer', nameOf(result.certificate)],
    ['time', formatTime(lang(), result.signingTime)],
    ['documentSize', `${name}, ${formatSize(lang(), result.size)}`],
    ['signatureSize', formatSize(lang(), result.signature.length)],
  ];
  find('facts').replaceChildren(...facts.flatMap(([key, value]) => [make('dt', '', t(key)), make('dd', '', value)]));
  const link = find<HTMLAnchorElement>('download');
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([result.signature], { type: 'application/pkcs7-signature' }));
  link.download = `${name}.p7s`;
  find('checked').replaceChildren();
  find('result').hidden = false;
}

async function verify(into: HTMLElement, signature: Blob, content: Blob | undefined): Promise<void> {
  const xml = signature instanceof File && /\.xml$/i.test(signature.name);
  await showFindings(into, (page) => (xml ? persten!.verifyXml(signature, { page }) : persten!.verifyCms(signature, { content, page })));
}

function chooseFile(f: File | undefined): void {
  file = f;
  update();
}

/** Puts dropped files into their fields by their names, and checks at once when the signature is there. */
function chooseSigned(files: File[]): void {
  for (const f of files) {
    const into = find<HTMLInputElement>(/\.(p7s|p7m|sig|sgn|xml)$/i.test(f.name) ? 'signatureFile' : 'contentFile');
    const one = new DataTransfer();
    one.items.add(f);
    into.files = one.files;
  }
  update();
  if (!find<HTMLButtonElement>('verify').disabled) find('verify').click();
}

const xmlPage: Page = { persten: () => persten, certificate: chosenCertificate, nameOf, busy };

function wire(): void {
  wireXml(xmlPage);
  find('xmlCancel').addEventListener('click', () => signing?.abort());
  find('connect').addEventListener('click', () => void open());
  find('refresh').addEventListener('click', () => void list(true));
  find('sign').addEventListener('click', () => void sign());
  find('cancel').addEventListener('click', () => signing?.abort());
  find('cards').addEventListener('change', update);
  find('file').addEventListener('change', () => chooseFile(find<HTMLInputElement>('file').files?.[0]));
  find('signatureFile').addEventListener('change', update);
  find('removeFile').addEventListener('click', () => {
    find<HTMLInputElement>('file').value = '';
    chooseFile(undefined);
  });
  find('check').addEventListener('click', () => {
    if (last) void verify(find('checked'), new Blob([last.result.signature]), last.result.attached ? undefined : last.document);
  });
  find('verify').addEventListener('click', () => {
    const signature = find<HTMLInputElement>('signatureFile').files?.[0];
    if (signature) void verify(find('verified'), signature, find<HTMLInputElement>('contentFile').files?.[0]);
  });
  wireDrop(find('drop'), (files) => chooseFile(files[0]));
  wireDrop(find('dropSignature'), chooseSigned);
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) {
    b.addEventListener('click', () => retell(b.dataset['lang'] === 'ru' ? 'ru' : 'en'));
  }
}

function wireDrop(zone: HTMLElement, take: (files: File[]) => void): void {
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    zone.addEventListener(type, (e) => {
      e.preventDefault();
      zone.classList.toggle('over', type === 'dragenter' || type === 'dragover');
    });
  }
  zone.addEventListener('drop', (e) => take([...(e.dataTransfer?.files ?? [])]));
}

/** Says everything again in another language; the agent's own texts follow at the next connection. */
function retell(to: 'ru' | 'en'): void {
  const samples = [['text', 'sample'], ['xmlText', 'xmlSample']] as const;
  const untouched = samples.filter(([id, key]) => ['', t(key)].includes(find<HTMLTextAreaElement>(id).value));
  speak(to);
  for (const [id, key] of untouched) find<HTMLTextAreaElement>(id).value = t(key);
  showStatus(status.key, status.look);
  if (persten) showCertificates(certificates, chosenCertificate());
  if (!find('result').hidden) showResult();
  if (!find('xmlResult').hidden) showXml(xmlPage);
  update();
}

async function start(): Promise<void> {
  wire();
  retell(lang());
  const found = await detect({ port, transport, lang: lang() });
  if (found.permission === 'prompt') showStatus('pressConnect');
  else if (['ready', 'agent_paused', 'origin_not_allowed'].includes(found.state)) await open();
  else {
    showStatus('absent', 'bad');
    notes.showError({ code: found.code, what: found.text, next: found.advice });
  }
}

void start();
