// SPDX-License-Identifier: MIT

/** Many documents with one question and one PIN; each row tells what became of its document. */
import type { BatchAccount, BatchDocument, BatchSigned } from '../../sdk/index.js';
import { find, lang, make, offer, t, wireDrop } from '../page.js';
import { notes, portal, start } from '../portal.js';
import { formatSize } from '../strings.js';

type Named = BatchDocument & { data: Blob; name: string };

/** The most one batch takes. */
const MOST = 1_000;

let documents: Named[] = [];
let done = new Map<number, BatchSigned>();
let account: BatchAccount | undefined;

function choose(list: Named[]): void {
  documents = list.slice(0, MOST);
  done = new Map();
  account = undefined;
  show();
  update();
}

function fromFiles(files: File[]): Named[] {
  return files.map((data) => ({ data, name: data.name }));
}

/** Documents that are made here, each with a text of its own. */
function made(n: number): Named[] {
  return Array.from({ length: n }, (_, i) => {
    const number = { n: String(i + 1) };
    return { data: new Blob([`${t('documentText', number)}\n`], { type: 'text/plain' }), name: t('documentName', number) };
  });
}

function update(): void {
  find<HTMLButtonElement>('sign').disabled = !portal.ready || documents.length === 0;
  for (const id of ['make', 'files']) find<HTMLInputElement>(id).disabled = portal.busy;
}

function show(): void {
  find('count').textContent = t('count', { n: String(documents.length) });
  find('list').hidden = documents.length === 0;
  find('rows').replaceChildren(...documents.map((d, i) => make('tr', '',
    make('td', '', d.name), make('td', '', formatSize(lang(), d.data.size)), stateOf(i))));
  const text = account && [t('account', { signed: String(account.signed), failed: String(account.failed), rest: String(account.notSigned) })];
  if (account?.stopped) text?.push(t('stoppedBy', { why: account.stopped.message }));
  find('account').textContent = text?.join(' ') ?? '';
  find('account').hidden = text === undefined;
}

/** The cell that says what became of a document, with its signature to take. */
function stateOf(index: number): HTMLElement {
  const item = done.get(index);
  if (item?.error) return make('td', 'invalid', t('state_failed', { code: item.error.message }));
  if (!item?.signature) return make('td', '', t(account ? 'state_not_signed' : 'state_waiting'));
  const link = make('a', '', t('state_signed')) as HTMLAnchorElement;
  const name = `${documents[index]?.name ?? index}.p7s`;
  offer(link, new Blob([item.signature], { type: 'application/pkcs7-signature' }), name);
  link.setAttribute('aria-label', `${t('state_signed')}: ${name}`);
  return make('td', 'valid', link);
}

/** Writes the row of a document that is done; the others stay as they are. */
function showOne(item: BatchSigned): void {
  done.set(item.index, item);
  find<HTMLTableSectionElement>('rows').children[item.index]?.lastElementChild?.replaceWith(stateOf(item.index));
  find<HTMLProgressElement>('bar').value = done.size;
  find('progressText').textContent = t('signedOf', { n: String(done.size), all: String(documents.length) });
}

async function sign(): Promise<void> {
  const certificate = portal.certificate;
  if (!certificate) return;
  const attached = find<HTMLInputElement>('attached').checked;
  choose(documents);
  const bar = find<HTMLProgressElement>('bar');
  [bar.max, bar.value, bar.hidden] = [documents.length, 0, false];
  await portal.run(async (signal, agent) => {
    account = await agent.signBatch(documents, { certificate, attached, signal, onItem: showOne, onProgress: (step) => notes.showProgress(step) });
    show();
    find('account').focus();
  });
  bar.hidden = true;
}

find('sign').addEventListener('click', () => void sign());
find('make').addEventListener('click', () => {
  const { valueAsNumber: n } = find<HTMLInputElement>('amount');
  choose(made(Math.min(MOST, Math.max(1, n || 1))));
});
find('files').addEventListener('change', () => choose(fromFiles([...(find<HTMLInputElement>('files').files ?? [])])));
wireDrop(find('drop'), (files) => {
  if (!portal.busy) choose(fromFiles(files));
});
void start({ update, retell: show });
