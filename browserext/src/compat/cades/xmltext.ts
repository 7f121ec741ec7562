// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A page has XML as text, but the document may declare an encoding, and then its bytes are in that: a reader believes the
 * declaration.
 */
export function fromText(text: string): { bytes: Uint8Array<ArrayBuffer>; label: string } {
  const label = declared(text);
  if (/^utf-16/.test(label)) return { bytes: utf16('\ufeff' + text), label: 'utf-16le' };
  const table = label === 'utf-8' ? undefined : reverse(label);
  if (!table) return { bytes: new TextEncoder().encode(text), label: 'utf-8' };
  const codes = Array.from(text, (c) => table.get(c));
  const missing = codes.indexOf(undefined);
  // What the declared encoding has no letter for is written as XML writes it; names of elements never have such letters.
  if (missing >= 0) return fromText(Array.from(text, (c) => (table.has(c) ? c : `&#${c.codePointAt(0)};`)).join(''));
  return { bytes: Uint8Array.from(codes as number[]), label };
}

export function toText(bytes: Uint8Array, label: string): string {
  return new TextDecoder(label).decode(bytes);
}

function declared(text: string): string {
  const name = /^\s*<\?xml[^>]*\bencoding\s*=\s*["']([\w.:-]+)["']/.exec(text)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return 'utf-8'; // a name nobody knows; the agent will say so
  }
}

/** Letters of an encoding that has one byte for each; undefined for others. */
function reverse(label: string): Map<string, number> | undefined {
  if (!/^(windows-|iso-8859-|koi8-|ibm866|macintosh|x-mac)/.test(label)) return undefined;
  const decoder = new TextDecoder(label);
  return new Map(Array.from({ length: 256 }, (_, b) => [decoder.decode(Uint8Array.of(b)), b]));
}

function utf16(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
  return bytes;
}
