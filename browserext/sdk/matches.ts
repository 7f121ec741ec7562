// SPDX-License-Identifier: MIT
import type { Certificate } from '../src/proto.gen.js';

/** Members of a certificate that people are looked up by. */
type Text = { [K in keyof Certificate]-?: Certificate[K] extends string | undefined ? K : never }[keyof Certificate];

/** Whom a portal expects, by the text members of a certificate. Those left out or empty are not compared. */
export type HolderFields = { readonly [K in Text]?: string | undefined };

/** Numbers are compared by their digits: SNILS is written with and without hyphens. */
const NUMBERS: ReadonlySet<string> = new Set(['inn', 'innle', 'ogrn', 'ogrnip', 'snils']);

/**
 * Whether a certificate is of the holder a portal expects. Е equals Ё, as does upper case lower case; runs of spaces count once.
 * An organization's INN equals its 12-digit form with 00 in front, and may stand in `inn` or `innle`: certificates made
 * before 2021 have it in `inn`.
 */
export function matches(certificate: Readonly<Partial<Certificate>>, holder: HolderFields): boolean {
  return (Object.entries(holder) as [Text, string | undefined][]).every(([member, wanted]) =>
    !wanted?.trim() || stated(certificate, member).some((value) => alike(member, value, wanted)));
}

function stated(c: Readonly<Partial<Certificate>>, member: Text): string[] {
  const both: Text[] = member === 'inn' ? ['inn', 'innle'] : member === 'innle' ? ['innle', 'inn'] : [member];
  return both.map((m) => c[m] as string | undefined).filter((v) => v !== undefined && v !== '') as string[];
}

function alike(member: string, value: string, wanted: string): boolean {
  if (!NUMBERS.has(member)) return plain(value) === plain(wanted);
  const number = member === 'inn' || member === 'innle' ? inn : digits;
  return number(wanted) !== '' && number(value) === number(wanted);
}

const digits = (v: string): string => (/[^\d\s-]/.test(v) ? '' : v.replace(/\D/g, ''));

const inn = (v: string): string => digits(v).replace(/^00(?=\d{10}$)/, '');

function plain(v: string): string {
  return v.normalize('NFC').toLowerCase().replaceAll('ё', 'е').replace(/\s+/g, ' ').trim();
}
