// SPDX-License-Identifier: MIT

/** A file of any size: it goes to the agent in pieces, with a bar, a rate, and a way to stop. */
import type { SignedCms, Transfer } from '../../sdk/index.js';
import { facts, find, lang, offer, t, wireDrop } from '../page.js';
import { notes, portal, start } from '../portal.js';
import { formatSize } from '../strings.js';

const MIB = 1024 * 1024;
const MOST = 4096;

let file: { data: Blob; name: string } | undefined;
let last: { result: SignedCms; name: string; took: number } | undefined;

/** Data that compresses badly and costs the page one MiB, however much of it there is. */
function made(mib: number): Blob {
  const piece = new Uint8Array(MIB);
  for (let at = 0; at < MIB; at += 65_536) crypto.getRandomValues(piece.subarray(at, at + 65_536));
  const block = new Blob([piece]);
  return new Blob(Array<Blob>(mib).fill(block), { type: 'application/octet-stream' });
}

function choose(data: Blob, name: string): void {
  file = { data, name };
  show();
  update();
}

function show(): void {
  find('chosen').textContent = file ? `${file.name}, ${formatSize(lang(), file.data.size)}` : '';
}

function update(): void {
  find<HTMLButtonElement>('sign').disabled = !portal.ready || !file;
  for (const id of ['make', 'file']) find<HTMLInputElement>(id).disabled = portal.busy;
}

const rate = (bytes: number, ms: number): string => formatSize(lang(), Math.round(bytes / Math.max(ms / 1000, 0.001)));

function showTransfer({ stage, sent, total }: Transfer, ms: number): void {
  if (stage !== 'sending' || total === undefined) return;
  find<HTMLProgressElement>('bar').value = sent / total;
  const size = (n: number): string => formatSize(lang(), n);
  find('progressText').textContent = t('sent', { sent: size(sent), total: size(total), speed: rate(sent, ms) });
}

async function sign(): Promise<void> {
  const certificate = portal.certificate;
  if (!certificate || !file) return;
  const { data, name } = file;
  const attached = find<HTMLInputElement>('attached').checked;
  const bar = find<HTMLProgressElement>('bar');
  [bar.value, bar.hidden] = [0, false];
  await portal.run(async (signal, agent) => {
    const began = performance.now();
    let took = 0;
    const onTransfer = (x: Transfer): void => {
      if (x.stage === 'sending') took = performance.now() - began;
      showTransfer(x, took);
    };
    const result = await agent.signCms(data, { certificate, attached, name, signal, onTransfer, onProgress: (step) => notes.showProgress(step) });
    last = { result, name, took };
    showResult();
    find('result').focus();
  });
  bar.hidden = true;
}

function showResult(): void {
  if (!last) return;
  const { result, name, took } = last;
  const seconds = new Intl.NumberFormat(lang(), { maximumFractionDigits: 1 }).format(took / 1000);
  find('facts').replaceChildren(...facts([
    ['documentSize', `${name}, ${formatSize(lang(), result.size)}`],
    ['transferred', t('seconds', { n: seconds })],
    ['speed', t('perSecond', { size: rate(result.size, took) })],
    ['digest', `${result.digest} (${result.digestAlg})`],
    ['signatureSize', formatSize(lang(), result.signature.length)],
  ]));
  offer(find<HTMLAnchorElement>('download'), new Blob([result.signature], { type: 'application/pkcs7-signature' }), `${name}.p7s`);
  find('result').hidden = false;
}

function retell(): void {
  show();
  if (!find('result').hidden) showResult();
}

find('sign').addEventListener('click', () => void sign());
find('make').addEventListener('click', () => {
  const { valueAsNumber: n } = find<HTMLInputElement>('amount');
  choose(made(Math.min(MOST, Math.max(1, Math.round(n) || 1))), t('largeName'));
});
find('file').addEventListener('change', () => {
  const [f] = find<HTMLInputElement>('file').files ?? [];
  if (f) choose(f, f.name);
});
wireDrop(find('drop'), ([f]) => {
  if (f && !portal.busy) choose(f, f.name);
});
void start({ update, retell });
