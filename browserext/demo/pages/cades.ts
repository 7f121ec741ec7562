// SPDX-License-Identifier: MIT

/** What sites made for the CryptoPro plug-in do: its objects by name, each member a promise. */
import { base64, show, within, type Owned } from '../face.js';

interface About { PluginVersion: Promise<{ toString(): Promise<string> }> }
interface Certificate { SubjectName: Promise<string>; Thumbprint: Promise<string> }
interface Store {
  Open(location: number, name: string, mode: number): Promise<void>;
  Close(): Promise<void>;
  Certificates: Promise<{ Count: Promise<number>; Item(n: number): Promise<Certificate> }>;
}
interface Signer { propset_Certificate(c: Certificate): Promise<void> }
interface SignedData {
  propset_ContentEncoding(encoding: number): Promise<void>;
  propset_Content(content: string): Promise<void>;
  SignCades(signer: Signer, type: number, detached: boolean): Promise<string>;
  VerifyCades(signature: string, type: number, detached: boolean): Promise<void>;
}
interface Objects {
  'CAdESCOM.About': About;
  'CAdESCOM.Store': Store;
  'CAdESCOM.CPSigner': Signer;
  'CAdESCOM.CadesSignedData': SignedData;
}
type Plugin = Promise<void> & { CreateObjectAsync<K extends keyof Objects>(name: K): Promise<Objects[K]> };

const [CURRENT_USER, MAXIMUM_ALLOWED, BES, BASE64] = [2, 2, 1, 1];
const own = (): Plugin | undefined => (window as { cadesplugin?: Plugin }).cadesplugin;
const certificates = new Map<string, Certificate>();

/** Loads the plug-in's own script as sites do; it is not part of this page, and the face answers for a missing one. */
async function load(): Promise<void> {
  if (!own()) {
    const script = document.createElement('script');
    const settled = new Promise((resolve) => {
      for (const type of ['load', 'error']) script.addEventListener(type, resolve);
    });
    script.src = 'cadesplugin_api.js';
    document.head.append(script);
    await settled;
  }
  if (!own()) throw new Error('cadesplugin: undefined');
  await own();
}

async function create<K extends keyof Objects>(name: K): Promise<Objects[K]> {
  await load();
  return own()!.CreateObjectAsync(name);
}

async function list(): Promise<Owned[]> {
  const store = await create('CAdESCOM.Store');
  await store.Open(CURRENT_USER, 'My', MAXIMUM_ALLOWED);
  const all = await store.Certificates;
  const out: Owned[] = [];
  for (let i = 1, n = await all.Count; i <= n; i++) {
    const c = await all.Item(i);
    const id = await c.Thumbprint;
    certificates.set(id, c);
    out.push({ id, name: await c.SubjectName });
  }
  await store.Close();
  return out;
}

async function signedData(text: string): Promise<SignedData> {
  const data = await create('CAdESCOM.CadesSignedData');
  await data.propset_ContentEncoding(BASE64);
  await data.propset_Content(base64(text));
  return data;
}

show({
  how: 'howFace',
  list,
  async find() {
    const about = await within(5_000, create('CAdESCOM.About').catch(() => undefined));
    return about && (await about.PluginVersion).toString();
  },
  async sign(text, id) {
    if (certificates.size === 0) await list();
    const certificate = certificates.get(id) ?? [...certificates.values()][0];
    if (!certificate) throw new Error('no certificates');
    const signer = await create('CAdESCOM.CPSigner');
    await signer.propset_Certificate(certificate);
    return (await signedData(text)).SignCades(signer, BES, true);
  },
  async verify(signature, text) {
    await (await signedData(text)).VerifyCades(signature, BES, true);
    return 'VerifyCades: ok';
  },
});
