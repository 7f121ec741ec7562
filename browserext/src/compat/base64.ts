// SPDX-License-Identifier: GPL-3.0-or-later
import { fromBase64, toBase64 } from '../../sdk/content.js';

/** Reads base64 with or without lines, and with or without the lines PEM puts around it. Throws when it is none. */
export function unwrap(text: unknown): Uint8Array<ArrayBuffer> {
  return fromBase64(String(text).replace(/-----[A-Z0-9 ]+-----/g, '').replace(/\s+/g, ''));
}

/** Base64 in lines of 64, each of them ended. */
export function wrap(bytes: Uint8Array, end: string): string {
  return toBase64(bytes).replace(/.{1,64}/g, `$&${end}`);
}
