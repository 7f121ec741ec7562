// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { containers, readers } from './containers.js';
import { fault } from './errors.js';
import type { Face } from './face.js';
import { PROVIDER } from './keys.js';
import { Indexed, OpenList } from './lists.js';

/*
 * Requests for certificates. Keys are not made by this version of the agent, so these objects only take what a page sets and
 * check it as far as they can; the call that would make the key or store the certificate says that it cannot be done. PINs
 * are dropped unread.
 */

const anything = (v: unknown): v is unknown => v !== undefined && v !== null;

/** The kinds of keys, as Windows lists its providers. */
export class CspInformations extends Indexed<CspInformation> {
  constructor(private readonly face: Face) {
    super();
  }

  AddAvailableCsps(): void {
    this.items = [80, 81, 24].map((type) => new CspInformation(this.face, type));
  }
}

export class CspInformation extends Remote {
  constructor(private readonly face: Face, private readonly type = 80) {
    super();
  }

  get Name(): string { return PROVIDER; }
  get Type(): number { return this.type; }
  get LegacyCsp(): boolean { return true; }

  /** Pages ask for the provider they know by name; this is the one there is. */
  InitializeFromName(name: unknown): void {
    if (typeof name !== 'string' || name === '') throw fault('parameter');
  }

  GetReaderModes(): Promise<Remote> { return readers(this.face); }
  EnumContainers(): Promise<Remote> { return containers(this.face); }
}

/** A key to be made. */
export class PrivateKeyRequest extends Remote {
  private readonly set = new Map<string, unknown>([['ProviderName', PROVIDER], ['ProviderType', 80], ['KeySpec', 0], ['ExportPolicy', 0], ['ContainerName', ''], ['Existing', false]]);

  get ProviderName(): unknown { return this.set.get('ProviderName'); }
  set ProviderName(v: unknown) { this.set.set('ProviderName', String(v)); }
  get ProviderType(): unknown { return this.set.get('ProviderType'); }
  set ProviderType(v: unknown) { this.set.set('ProviderType', Number(v)); }
  get KeySpec(): unknown { return this.set.get('KeySpec'); }
  set KeySpec(v: unknown) { this.set.set('KeySpec', Number(v)); }
  get ExportPolicy(): unknown { return this.set.get('ExportPolicy'); }
  set ExportPolicy(v: unknown) { this.set.set('ExportPolicy', Number(v)); }
  get ContainerName(): unknown { return this.set.get('ContainerName'); }
  set ContainerName(v: unknown) { this.set.set('ContainerName', String(v)); }
  get Existing(): unknown { return this.set.get('Existing'); }
  set Existing(v: unknown) { this.set.set('Existing', v === true); }
  set Pin(_: unknown) {}
}

export class DistinguishedName extends Remote {
  private name = '';
  get Name(): string { return this.name; }

  Encode(name: unknown): void {
    if (typeof name !== 'string' || name === '') throw fault('parameter');
    this.name = name;
  }
}

/** Key usages, purposes and other extensions of a request. */
export class RequestExtension extends Remote {
  private critical = false;

  get Critical(): boolean { return this.critical; }
  set Critical(v: unknown) { this.critical = v === true; }
  InitializeEncode(): void {}
  Initialize(): void {}
}

export class ObjectId extends Remote {
  private value = '';
  get Value(): string { return this.value; }

  InitializeFromValue(v: unknown): void {
    if (!/^[0-2](\.\d+)+$/.test(String(v))) throw fault('parameter');
    this.value = String(v);
  }
}

export const isObjectId = (v: unknown): v is ObjectId => v instanceof ObjectId;

export class CertificateRequest extends Remote {
  private subject: DistinguishedName | undefined;
  private readonly extensions = new OpenList(anything);
  private readonly pairs = new OpenList(anything);

  InitializeFromPrivateKey(_context: unknown, key: unknown): void {
    if (!(key instanceof PrivateKeyRequest)) throw fault('parameter');
  }

  get X509Extensions(): OpenList<unknown> { return this.extensions; }
  get NameValuePairs(): OpenList<unknown> { return this.pairs; }
  get Subject(): DistinguishedName | undefined { return this.subject; }

  set Subject(v: unknown) {
    if (!(v instanceof DistinguishedName)) throw fault('parameter');
    this.subject = v;
  }
}

export class Enrollment extends Remote {
  Initialize(): void {}

  InitializeFromRequest(request: unknown): void {
    if (!(request instanceof CertificateRequest)) throw fault('parameter');
  }

  CreateRequest(): void {
    throw fault('notImplemented', 'Ключи и запросы на сертификат эта версия Persten не создаёт');
  }

  InstallResponse(): void {
    throw fault('notImplemented', 'Сертификаты эта версия Persten не устанавливает');
  }
}

export const openList = (): OpenList<unknown> => new OpenList(anything);
