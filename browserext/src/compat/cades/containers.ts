// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { keyPeriod } from '../x509.js';
import type { Certificate } from './certificate.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { PROVIDER } from './keys.js';
import { Indexed, record } from './lists.js';
import { listed } from './store.js';

/** CARRIER_FLAG: can be taken out, has a number of its own, is protected by a PIN. */
const CARRIER = 1 | 2 | 4;

/** The places keys lie in: the tokens that are plugged in. */
export async function readers(face: Face): Promise<Indexed<Remote>> {
  const { tokens } = await face.agent.call('tokens.list', {});
  return new Indexed(tokens.map((t) => record({ Name: t.label, NickName: t.label, Media: t.model, CarrierFlags: CARRIER })));
}

/** A container for each key that has a certificate, which are all this face knows. */
export async function containers(face: Face): Promise<Indexed<Remote>> {
  return new Indexed((await listed(face)).all.map((c) => new Container(c)));
}

class Container extends Remote {
  constructor(private readonly certificate: Certificate) {
    super();
  }

  get Name(): string { return this.certificate.PrivateKey.ContainerName; }
  get UniqueName(): string { return this.certificate.PrivateKey.UniqueContainerName; }
  get FQCN(): string { return `\\\\.\\${this.Reader}\\${this.Name}`; }
  get Reader(): string { return this.certificate.listed?.token.label ?? PROVIDER; }
  get Media(): string { return this.certificate.listed?.token.model ?? ''; }
  get Silent(): boolean { return false; }
  set Silent(_: unknown) {}

  get Keys(): Indexed<Remote> {
    const { x509 } = this.certificate;
    return new Indexed([record({
      HasCertificate: true, Certificate: this.certificate, PublicKey: this.certificate.PublicKey(), IsExportable: false,
      ExpirationTime: keyPeriod(x509).to ?? x509.notAfter,
    })]);
  }

  Delete(): void {
    throw fault('notImplemented', 'Ключи удаляют в окне Persten');
  }
}
