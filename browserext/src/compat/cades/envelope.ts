// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { decode, encode } from './bytes.js';
import { isCertificate, type Certificate } from './certificate.js';
import { absent, OpenList } from './lists.js';

/** Encryption is not made by this version of the agent: a page may prepare everything, and hears so then. */
export class EnvelopedData extends absent('Encrypt', 'Decrypt', 'StreamEncrypt', 'StreamDecrypt') {
  private encoding: unknown = 0;
  private content: Uint8Array<ArrayBuffer> | undefined;
  private readonly recipients = new OpenList<Certificate>(isCertificate);
  private readonly algorithm = new EncryptionAlgorithm();

  get ContentEncoding(): unknown { return this.encoding; }
  set ContentEncoding(v: unknown) { this.encoding = v; }
  get Content(): string { return encode(this.content ?? new Uint8Array(0), this.encoding); }
  set Content(v: unknown) { this.content = decode(v, this.encoding); }
  get Recipients(): OpenList<Certificate> { return this.recipients; }
  get Algorithm(): EncryptionAlgorithm { return this.algorithm; }
}

class EncryptionAlgorithm extends Remote {
  private name: unknown = 25;
  private length: unknown = 0;
  get Name(): unknown { return this.name; }
  set Name(v: unknown) { this.name = Number(v); }
  get KeyLength(): unknown { return this.length; }
  set KeyLength(v: unknown) { this.length = Number(v); }
}

/** The same for files and a key both sides have. */
export class SymmetricAlgorithm extends absent('GenerateKey', 'ImportKey', 'ExportKey', 'DiversifyKey', 'Encrypt', 'Decrypt', 'SetMode', 'SetPadding') {
  private vector: unknown = '';
  private data: unknown = '';
  get IV(): unknown { return this.vector; }
  set IV(v: unknown) { this.vector = String(v); }
  get DiversData(): unknown { return this.data; }
  set DiversData(v: unknown) { this.data = String(v); }
}
