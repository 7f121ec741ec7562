// SPDX-License-Identifier: MIT
import type { XMLMode, XMLPosition, XMLProfile } from '../src/proto.gen.js';
import { toBase64 } from './content.js';
import type { Params } from './rpc.js';

/** Where a signature is put. */
export interface XmlPlace {
  /** Steps of element names, as `/d:order/d:signatures` or `//d:signatures[1]`; `*` is any name. The root element by default. */
  path?: string | undefined;
  /** `last-child` by default. */
  position?: XMLPosition | undefined;
  /** The prefixes used in the path, and what they stand for. */
  namespaces?: Readonly<Record<string, string>> | undefined;
}

/** A signature policy. */
export interface XmlPolicy {
  /** An object identifier such as `1.2.3`, or an address. */
  id: string;
  /** Digest of the policy document. */
  digest: Uint8Array;
  /** Such as `sha256` or `streebog256`. */
  digestAlg: string;
  /** Where the policy document can be had. */
  uri?: string | undefined;
}

/** What an XML signature is to look like. All of it may be left out: then it is an enveloped XMLDSig over the whole document. */
export interface XmlForm {
  /** `enveloped`: the signature inside the document; `enveloping`: around it; `detached`: beside the elements it names by Id;
   * `template`: in the place of an unfilled `ds:Signature`. The profile's own by default. */
  mode?: XMLMode | undefined;
  /** The rules to follow: `dsig` by default. */
  profile?: XMLProfile | undefined;
  /** Ids of the elements to sign; `''` is the whole document. By default that, or what the profile signs. */
  references?: readonly string[] | undefined;
  /** Identifier of the canonicalization. */
  c14n?: string | undefined;
  place?: XmlPlace | undefined;
  /** The attributes that count as Id beside `Id` itself: a name, or `{namespace}name`. */
  idAttributes?: readonly string[] | undefined;
  /** Id of the signature itself; a random one by default. */
  signatureId?: string | undefined;
  /** Signature algorithm, such as `rsa-pss-sha256`; the key's usual one by default. */
  algorithm?: string | undefined;
  /** For `xades-epes`. */
  policy?: XmlPolicy | undefined;
  /** Length of the lines of base64: 64, 76, or 0 for one line. */
  columns?: 0 | 64 | 76 | undefined;
  /** Put the public key beside the certificate. */
  keyValue?: boolean | undefined;
  /** Leave every signature out of what is signed, so that others can sign the same document later. */
  parallel?: boolean | undefined;
}

type Wire = Omit<Params<'sign.xml'>, 'certificate' | 'content' | 'name' | 'mime' | 'note'>;

const PLAIN = ['mode', 'profile', 'c14n', 'signatureId', 'algorithm', 'columns', 'keyValue', 'parallel'] as const;

/** The form as the protocol writes it: what was left out stays out. */
export function formParams(o: XmlForm): Wire {
  const p: Wire = {};
  for (const key of PLAIN) if (o[key] !== undefined) Object.assign(p, { [key]: o[key] });
  if (o.references) p.references = o.references.map((id) => ({ id }));
  if (o.idAttributes) p.idAttributes = [...o.idAttributes];
  if (o.place) p.place = placeParams(o.place);
  if (o.policy) {
    const { id, digest, digestAlg, uri } = o.policy;
    p.policy = { id, digest: toBase64(digest), digestAlg, ...(uri !== undefined && { uri }) };
  }
  return p;
}

function placeParams({ path = '', position, namespaces }: XmlPlace): NonNullable<Wire['place']> {
  const list = Object.entries(namespaces ?? {}).map(([prefix, uri]) => ({ prefix, uri }));
  return { path, ...(position && { position }), ...(list.length > 0 && { namespaces: list }) };
}
