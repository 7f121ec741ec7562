// SPDX-License-Identifier: GPL-3.0-or-later
import type { Reason } from '../sdk/wire.js';

/** What a content script or the popup says to the service worker over its port, and what it hears. Bodies are JSON text. */
export type ToWorker = { kind: 'rpc'; body: string };
export type FromWorker = { kind: 'rpc'; body: string } | { kind: 'close'; reason: Reason };

/** Names of ports. */
export const PAGE = 'page';
export const STATUS = 'status';

/** The popup asks a content script where it is. */
export const WHERE = 'where';

/** The popup asks a content script for the marks of plug-ins that are not stood in for. */
export const BESIDE = 'beside';
