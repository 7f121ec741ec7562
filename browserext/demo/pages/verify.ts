// SPDX-License-Identifier: MIT

/** Checks signatures made by anyone. */
import { showFindings } from '../findings.js';
import { find, wireDrop } from '../page.js';
import { portal, start } from '../portal.js';

const chosen = (id: string): File | undefined => find<HTMLInputElement>(id).files?.[0];

function update(): void {
  find<HTMLButtonElement>('verify').disabled = !portal.persten || !chosen('signatureFile');
}

async function verify(): Promise<void> {
  const [signature, content] = [chosen('signatureFile'), chosen('contentFile')];
  if (!signature) return;
  const xml = /\.xml$/i.test(signature.name);
  await showFindings(find('verified'), (page) =>
    (xml ? portal.persten!.verifyXml(signature, { page }) : portal.persten!.verifyCms(signature, { content, page })));
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

find('verify').addEventListener('click', () => void verify());
find('signatureFile').addEventListener('change', update);
wireDrop(find('dropSignature'), chooseSigned);
void start({ update });
