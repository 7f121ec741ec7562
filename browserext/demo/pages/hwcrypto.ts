// SPDX-License-Identifier: MIT

/** What sites with older versions of hwcrypto do: a class that the extension puts into the page. */
import { sha256, show } from '../face.js';

interface TokenSigning {
  getVersion(): Promise<string>;
  getCertificate(options: { lang: string }): Promise<{ hex: string }>;
  sign(certificate: { hex: string }, hash: { type: string; hex: string }, options: { lang: string }): Promise<{ hex: string }>;
}

function signing(): TokenSigning {
  const Signing = (window as { TokenSigning?: new () => TokenSigning }).TokenSigning;
  if (!Signing) throw new Error('window.TokenSigning: undefined');
  return new Signing();
}

const hex = (b: ArrayBuffer): string => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, '0')).join('');

show({
  how: 'howFace',
  find: async () => ('TokenSigning' in window ? signing().getVersion() : undefined),
  async sign(text) {
    const s = signing();
    const options = { lang: document.documentElement.lang };
    const certificate = await s.getCertificate(options);
    return (await s.sign(certificate, { type: 'SHA-256', hex: hex(await sha256(text)) }, options)).hex;
  },
});
