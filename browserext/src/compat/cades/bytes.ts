// SPDX-License-Identifier: GPL-3.0-or-later
import { unwrap, wrap } from '../base64.js';
import { fault } from './errors.js';

const [UCS2, BASE64] = [0, 1];

/** Reads what a page set as data, in the encoding it named. */
export function decode(data: unknown, encoding: unknown): Uint8Array<ArrayBuffer> {
  if (Number(encoding) === BASE64) return unbase64(data);
  if (Number(encoding) !== UCS2) throw fault('parameter');
  const text = String(data);
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
  return bytes;
}

/** The reverse, for what the page reads back. */
export function encode(bytes: Uint8Array, encoding: unknown): string {
  if (Number(encoding) === BASE64) return lines(bytes);
  return new TextDecoder('utf-16le', { ignoreBOM: true }).decode(bytes);
}

/** Base64 of a page, in any form of it. */
export function unbase64(data: unknown): Uint8Array<ArrayBuffer> {
  try {
    return unwrap(data);
  } catch {
    throw fault('parameter');
  }
}

/** Base64 in lines of 64, each of them ended as Windows ends lines. */
export function lines(bytes: Uint8Array): string {
  return wrap(bytes, '\r\n');
}

/** A result in the encoding a page asks for; only base64 fits into a string. */
export function result(bytes: Uint8Array, encoding: unknown): string {
  if (encoding !== undefined && encoding !== null && Number(encoding) !== 0) throw fault('parameter');
  return lines(bytes);
}
