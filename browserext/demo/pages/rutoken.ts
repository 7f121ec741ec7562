// SPDX-License-Identifier: MIT

/** What sites made for the Rutoken plug-in do: an adapter at a fixed place, tokens by number, certificates by id. */
import { show, type Owned } from '../face.js';

interface Parsed { subject: { rdn: string; value: string }[] }
interface Plugin {
  version: Promise<string> | string;
  CERT_CATEGORY_USER: number;
  DATA_FORMAT_PLAIN: number;
  enumerateDevices(): Promise<number[]>;
  enumerateCertificates(device: number, category: number): Promise<string[]>;
  parseCertificate(device: number, id: string): Promise<Parsed>;
  sign(device: number, id: string, data: string, format: number, options: { detached: boolean }): Promise<string>;
  verify(device: number, cms: string, options: { data: string; verifyCertificate: boolean }): Promise<boolean>;
}
interface Adapter {
  initialize(): Promise<void>;
  isPluginInstalled(): Promise<boolean>;
  loadPlugin(): Promise<Plugin>;
}

const PLACE = 'C3B7563B-BF85-45B7-88FC-7CFF1BD3C2DB';

async function plugin(): Promise<Plugin> {
  const adapter = (window as { [PLACE]?: Adapter })[PLACE];
  if (!adapter) throw new Error(`window['${PLACE}']: undefined`);
  await adapter.initialize();
  if (!(await adapter.isPluginInstalled())) throw new Error('isPluginInstalled: false');
  return adapter.loadPlugin();
}

/** A certificate of a token, as one word. */
const idOf = (device: number, id: string): string => `${device} ${id}`;

function parts(id: string): [number, string] {
  const [device = '', certificate = ''] = id.split(' ');
  return [Number(device), certificate];
}

async function list(): Promise<Owned[]> {
  const p = await plugin();
  const out: Owned[] = [];
  for (const device of await p.enumerateDevices()) {
    for (const id of await p.enumerateCertificates(device, p.CERT_CATEGORY_USER)) {
      const { subject } = await p.parseCertificate(device, id);
      out.push({ id: idOf(device, id), name: subject.find((x) => x.rdn === 'commonName')?.value ?? id });
    }
  }
  return out;
}

show({
  how: 'howFace',
  list,
  find: () => plugin().then((p) => p.version, () => undefined),
  async sign(text, chosen) {
    const p = await plugin();
    const [device, id] = parts(chosen || ((await list())[0]?.id ?? ''));
    return p.sign(device, id, text, p.DATA_FORMAT_PLAIN, { detached: true });
  },
  async verify(signature, data) {
    const p = await plugin();
    const [device = 0] = await p.enumerateDevices();
    return `verify: ${await p.verify(device, signature, { data, verifyCertificate: false })}`;
  },
});
