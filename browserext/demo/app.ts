// SPDX-License-Identifier: MIT

/** A portal in small: everything a real one does with Persten, in the order a person does it. */
import { connect, detect, PerstenError, type Certificate, type Persten, type SignedCms } from '../sdk/index.js';
import { chosenCertificate, showCertificates } from './certificates.js';
import { findings } from './findings.js';
import { find, lang, make, speak, t } from './page.js';
import { formatSize, formatTime, type Key } from './strings.js';

const query = new URLSearchParams(location.search);
const port = query.has('port') ? Number(query.get('port')) : undefined;
const transport = query.get('transport') === 'websocket' ? 'websocket' as const : undefined;

let persten: Persten | undefined;
let certificates: Certificate[] = [];
let file: File | undefined;
let signing: AbortController | undefined;
let last: { result: SignedCms; document: Blob; name: string } | undefined;
let status: { key: Key; look: '' | 'good' | 'bad' } = { key: 'looking', look: '' };

function showStatus(key: Key, look: '' | 'good' | 'bad' = ''): void {
  status = { key, look };
  find('status').className = `status ${look}`;
  find('statusText').textContent = t(key, persten ? { version: persten.agent.version } : {});
  find('connect').hidden = look === 'good' || key === 'connecting' || key === 'answerQuestion';
}

/** What happened and what to do now; Persten says both of its own errors. */
function wordsOf(e: unknown): { code: string; what: string; next: string } {
  if (e instanceof PerstenError) return { code: e.code, what: e.message, next: e.next };
  if (e instanceof DOMException && e.name === 'AbortError') return { code: 'aborted', what: t('cancelled'), next: t('cancelledNext') };
  return { code: 'unexpected', what: t('unexpected', { detail: e instanceof Error ? e.message : String(e) }), next: t('unexpectedNext') };
}

function showError({ code, what, next }: { code: string; what: string; next: string }): void {
  find('errorWhat').textContent = what;
  find('errorNext').textContent = next;
  find('error').dataset['code'] = code;
  find('error').hidden = false;
}

function update(): void {
  const busy = signing !== undefined;
  find<HTMLButtonElement>('sign').disabled = busy || !persten || !chosenCertificate();
  find('cancel').hidden = !busy;
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
    showError(wordsOf(e));
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
    showError(wordsOf(e));
  }
  showCertificates(certificates, chosenCertificate());
  update();
}

async function sign(): Promise<void> {
  const certificate = chosenCertificate();
  const document = file ?? new Blob([find<HTMLTextAreaElement>('text').value], { type: 'text/plain' });
  for (const id of ['error', 'result']) find(id).hidden = true;
  if (!persten || !certificate) return;
  if (document.size === 0) {
    showError({ code: 'empty', what: t('emptyDocument'), next: t('emptyDocumentNext') });
    return;
  }
  signing = new AbortController();
  showProgress('sending');
  update();
  const attached = find<HTMLInputElement>('attached').checked;
  const name = file?.name ?? t('textName');
  try {
    const result = await persten.signCms(document, { certificate, attached, name, signal: signing.signal, onProgress: showProgress });
    last = { result, document, name };
    showResult();
    find('result').focus();
  } catch (e) {
    showError(wordsOf(e));
  } finally {
    signing = undefined;
    find('progress').hidden = true;
    update();
  }
}

function showProgress(step: 'sending' | 'waiting' | 'token' | 'signing'): void {
  find('progress').hidden = false;
  find('progressText').textContent = t(step);
}

function showResult(): void {
  if (!last) return;
  const { result, name } = last;
  const signer = certificates.find((c) => c.id === result.certificate)?.name ?? result.certificate;
  const facts: [Key, string][] = [
    ['signer', signer],
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
  into.replaceChildren(make('p', 'quiet', t('checking')));
  try {
    into.replaceChildren(...findings(await persten!.verifyCms(signature, { content })));
  } catch (e) {
    const { what, next } = wordsOf(e);
    into.replaceChildren(make('div', 'finding', make('p', 'invalid', what), make('p', 'quiet', next)));
  }
}

function chooseFile(f: File | undefined): void {
  file = f;
  update();
}

function wire(): void {
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
  wireDrop(find('drop'));
  for (const b of document.querySelectorAll<HTMLElement>('[data-lang]')) {
    b.addEventListener('click', () => retell(b.dataset['lang'] === 'ru' ? 'ru' : 'en'));
  }
}

function wireDrop(zone: HTMLElement): void {
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    zone.addEventListener(type, (e) => {
      e.preventDefault();
      zone.classList.toggle('over', type === 'dragenter' || type === 'dragover');
    });
  }
  zone.addEventListener('drop', (e) => chooseFile(e.dataTransfer?.files[0]));
}

/** Says everything again in another language; the agent's own texts follow at the next connection. */
function retell(to: 'ru' | 'en'): void {
  const text = find<HTMLTextAreaElement>('text');
  const untouched = text.value === '' || text.value === t('sample');
  speak(to);
  if (untouched) text.value = t('sample');
  showStatus(status.key, status.look);
  if (persten) showCertificates(certificates, chosenCertificate());
  if (!find('result').hidden) showResult();
  update();
}

async function start(): Promise<void> {
  wire();
  retell(lang());
  const found = await detect({ port });
  if (found.reason === 'browser_permission_needed') showStatus('pressConnect');
  else if (found.transport === 'none') showStatus('absent', 'bad');
  else await open();
}

void start();
