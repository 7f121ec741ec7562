// SPDX-License-Identifier: MIT
import { toBase64 } from './content.js';
import type { Data } from './source.js';
import type { Params } from './rpc.js';
import type { XmlPolicy } from './xml.js';

type Wire = Partial<Params<'sign.cms'>>;

/** What a CMS signature is to look like. */
export interface CmsForm {
  /** Put the document inside the signature. False by default: the signature is a file of its own. */
  attached?: boolean | undefined;
  /** `cades-bes` by default; `cades-t` has a time-stamp of the authority the agent is set up with. */
  profile?: Wire['profile'] | undefined;
  /** One the key can use, such as `rsa-pss-sha256`. */
  algorithm?: string | undefined;
  /** The signature policy; its id is an object identifier. */
  policy?: XmlPolicy | undefined;
  /** What else the signer signs: the document's name, the place, what the signature is given for. */
  attributes?: Wire['attributes'] | undefined;
  /** An existing signature of the same document, which gets one more. */
  addTo?: Data | undefined;
  /** Sign the signature of this signer of `addTo`, counted from 1, and not the document. */
  countersign?: number | undefined;
}

/** The parameters of sign.cms, all but the certificate and the contents. */
export function cmsParams(o: CmsForm): Wire {
  const p: Wire = { attached: o.attached ?? false };
  for (const key of ['profile', 'algorithm', 'attributes', 'countersign'] as const) {
    if (o[key] !== undefined) Object.assign(p, { [key]: o[key] });
  }
  if (o.policy) {
    const { id, digest, digestAlg, uri } = o.policy;
    p.policy = { id, digest: toBase64(digest), digestAlg, ...(uri !== undefined && { uri }) };
  }
  return p;
}
