// SPDX-License-Identifier: MIT

/**
 * `@persten/sdk` lets a web page ask for a signature made with a key that never leaves the user's token.
 *
 *     const persten = await connect();
 *     const [certificate] = await persten.certificates();
 *     const { signature } = await persten.signCms(file, { certificate });
 *
 * Call {@link connect} from a click: without the extension the browser may have to ask the person first, and it only makes
 * sense to them then.
 */
import type { ConnectOptions } from './connect.js';
import { Persten } from './persten.js';

/** Connects to the agent. See {@link ConnectOptions}; rejects with a {@link PerstenError}. */
export function connect(options: ConnectOptions = {}): Promise<Persten> {
  return Persten.open(options);
}

export { besideError, OTHER_PLUGINS, otherPlugins, type OtherPlugin, type OtherPluginName } from './beside.js';
export type { ConnectOptions, WayOptions } from './connect.js';
export { detect, type Detected, type State } from './detect.js';
export { forgetAgent } from './proof.js';
export { matches, type HolderFields } from './matches.js';
export { PerstenError, type Code, type Lang } from './errors.js';
export type { Transfer, TransferOptions } from './content.js';
export type { Data } from './source.js';
export type { BatchAccount, BatchDocument, BatchOptions, BatchSigned } from './batch.js';
export type { CallOptions, Method, Params, Result } from './rpc.js';
export {
  Persten, type AskOptions, type Events, type ListOptions, type LoginOptions, type SelectOptions, type SignBatchOptions, type Signed, type SignedCms, type SignedXml, type SignOptions,
  type SignRawOptions, type SignXmlOptions, type Status, type Verification, type VerifyOptions, type VerifyXmlOptions,
} from './persten.js';
export type {
  Certificate, CertificateFilter, CertificateStatus, CertificateSummary, ChainLink, ErrorCode, Indication, LoginToken, Problem, Reference, Revocation, Signer, Span, Step, SubIndication, Timestamp, Token, XMLMode, XMLPosition, XMLProfile,
} from '../src/proto.gen.js';
export type { CmsForm } from './cms.js';
export type { XmlForm, XmlPlace, XmlPolicy } from './xml.js';
export type { ClientCode } from './texts.gen.js';
export type { Reason } from './wire.js';
