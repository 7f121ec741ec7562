// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { fault } from './errors.js';
import { PROVIDER } from './keys.js';

/** The plug-in and provider this face behaves like; portals refuse older ones. */
const PLUGIN = [2, 0, 15500] as const;
const CSP = [5, 0, 13000] as const;

/** A version as an object; its toString answers with a promise, as everything does. */
class Version extends Remote {
  constructor(private readonly parts: readonly [number, number, number]) {
    super();
  }

  get MajorVersion(): number { return this.parts[0]; }
  get MinorVersion(): number { return this.parts[1]; }
  get BuildVersion(): number { return this.parts[2]; }
  override toString(): string { return this.parts.join('.'); }
}

export class About extends Remote {
  get PluginVersion(): Version { return new Version(PLUGIN); }
  get Version(): string { return PLUGIN.join('.'); }
  get MajorVersion(): number { return PLUGIN[0]; }
  get MinorVersion(): number { return PLUGIN[1]; }
  get BuildVersion(): number { return PLUGIN[2]; }
  CSPVersion(): Version { return new Version(CSP); }
  CSPName(): string { return PROVIDER; }
  ProviderVersion(): string { return CSP.join('.'); }
  get MediaFilter(): number { return 0; }
  set MediaFilter(_: unknown) {}
  get ReaderFilter(): string { return ''; }
  set ReaderFilter(_: unknown) {}
}

/** Nothing here needs a licence. */
export class License extends Remote {
  IsValid(product: unknown): boolean { return told(product, true); }
  ValidTo(product: unknown): string { return told(product, 'Бессрочная'); }
  FirstInstallDate(product: unknown): string { return told(product, ''); }
  CompanyName(product: unknown): string { return told(product, PROVIDER); }
  SerialNumber(product: unknown): string { return told(product, ''); }
}

function told<T>(product: unknown, answer: T): T {
  if (![0, 1, 2].includes(Number(product))) throw fault('parameter');
  return answer;
}
