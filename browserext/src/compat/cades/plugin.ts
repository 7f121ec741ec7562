// SPDX-License-Identifier: GPL-3.0-or-later
import type { Remote } from '../model.js';
import { About, License } from './about.js';
import { Certificate } from './certificate.js';
import {
  CertificateRequest, CspInformation, CspInformations, DistinguishedName, Enrollment, isObjectId, ObjectId, openList, PrivateKeyRequest, RequestExtension,
} from './enroll.js';
import { EnvelopedData, SymmetricAlgorithm } from './envelope.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { HashedData } from './hashed.js';
import { OpenList } from './lists.js';
import { RawSignature } from './raw.js';
import { CadesSignedData } from './signed.js';
import { Attribute, Signer } from './signer.js';
import { Store } from './store.js';
import { SignedXML } from './xml.js';

type Maker = (face: Face) => Remote;

const ENROLLMENT = 'x509enrollment.';

/** What pages may make, by its name in lower case: sites write it in many ways. */
const MAKERS: Record<string, Maker> = {
  'cadescom.about': () => new About(),
  'cadescom.store': (f) => new Store(f),
  'capicom.store': (f) => new Store(f),
  'cadescom.certificate': (f) => new Certificate(f),
  'capicom.certificate': (f) => new Certificate(f),
  'cadescom.cpsigner': () => new Signer(),
  'cadescom.cpattribute': () => new Attribute(),
  'cadescom.cadessigneddata': (f) => new CadesSignedData(f),
  'cadescom.hasheddata': (f) => new HashedData(f),
  'cadescom.rawsignature': (f) => new RawSignature(f),
  'cadescom.signedxml': (f) => new SignedXML(f),
  'cadescom.cpenvelopeddata': () => new EnvelopedData(),
  'cadescom.symmetricalgorithm': () => new SymmetricAlgorithm(),
  'cadescom.cplicense': () => new License(),
  [`${ENROLLMENT}ccspinformations`]: (f) => new CspInformations(f),
  [`${ENROLLMENT}ccspinformation`]: (f) => new CspInformation(f),
  [`${ENROLLMENT}cx509privatekey`]: () => new PrivateKeyRequest(),
  [`${ENROLLMENT}cx509certificaterequestpkcs10`]: () => new CertificateRequest(),
  [`${ENROLLMENT}cx500distinguishedname`]: () => new DistinguishedName(),
  [`${ENROLLMENT}cx509enrollment`]: () => new Enrollment(),
  [`${ENROLLMENT}cobjectid`]: () => new ObjectId(),
  [`${ENROLLMENT}cobjectids`]: () => new OpenList(isObjectId),
  [`${ENROLLMENT}cx509extensions`]: openList,
  [`${ENROLLMENT}ccertificatepolicies`]: openList,
  ...Object.fromEntries([
    'cx509extensionkeyusage', 'cx509extensionenhancedkeyusage', 'cx509extension', 'cx509extensioncertificatepolicies', 'cx509extensionidentificationkind',
    'cx509extensiontemplate', 'ccertificatepolicy', 'cpolicyqualifier', 'cx509namevaluepair',
  ].map((name) => [ENROLLMENT + name, (): Remote => new RequestExtension()])),
};

/** The object a vendor script is given, through which it makes all others. */
export interface Plugin {
  CreateObjectAsync(name: unknown): Promise<unknown>;
  ReleasePluginObjects(): Promise<unknown>;
}

export function plugin(face: Face): Plugin {
  return {
    CreateObjectAsync: (name) => face.model.run([], () => {
      const key = String(name).toLowerCase();
      const make = Object.hasOwn(MAKERS, key) ? MAKERS[key] : undefined;
      if (!make) throw fault('noClass');
      return make(face);
    }),
    ReleasePluginObjects: () => Promise.resolve(true),
  };
}
