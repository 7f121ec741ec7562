// SPDX-License-Identifier: GPL-3.0-or-later
import { hex } from '../der.js';
import { Remote } from '../model.js';
import { Certificate } from './certificate.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { HashedData } from './hashed.js';

/** The bare value of a signature. */
export class RawSignature extends Remote {
  constructor(private readonly face: Face) {
    super();
  }

  /** Upper hex, the last byte first, as Windows' CryptoAPI has it. */
  async SignHash(hashed: unknown, certificate: unknown): Promise<string> {
    if (!(hashed instanceof HashedData) || !(certificate instanceof Certificate)) throw fault('parameter');
    const algorithm = hashed.fit(certificate);
    const document = await hashed.document();
    const signed = document ? { content: document.content } : { digest: (await hashed.finish()).toLowerCase() };
    return hex((await this.face.agent.signRaw({ certificate: certificate.id, algorithm, ...signed })).reverse());
  }

  VerifyHash(): void {
    throw fault('notImplemented');
  }
}
