// SPDX-License-Identifier: GPL-3.0-or-later
import { toBase64 } from '../../../sdk/content.js';
import type { Content } from '../../proto.gen.js';
import { mimeOf, SIGNATURE, Spool, type Agent } from '../agent.js';
import { hex } from '../der.js';
import { digestsOf } from '../algorithms.js';
import { keyPeriod, parse, type X509 } from '../x509.js';
import { RutokenError, translate } from './errors.js';
import { CONSTANTS, ERROR_CODES } from './constants.js';
import { colons, parsed, pem, unbase64, unhexed } from './text.js';
import { Tokens, type Held } from './tokens.js';

/** The version this face behaves like. */
const VERSION = '4.10.1';

/** Calls the agent has no function for. They are there because pages look whether they are. */
const ABSENT = [
  'changePin', 'unblockUserPin', 'formatToken', 'setKeyLabel', 'setCertLabel', 'generateKeyPair', 'deleteKeyPair', 'getJournal', 'importCertificate',
  'deleteCertificate', 'createPkcs10', 'derive', 'createTsRequest', 'verifyTsResponse', 'cmsEncrypt', 'cmsDecrypt', 'createBinaryFile', 'readBinaryFile',
  'deleteBinaryFile', 'getBinaryFileInfo', 'setLicence', 'getLicence', 'tokenMonitor',
];

type Call = (...args: unknown[]) => unknown;
interface SignOptions { detached?: unknown; CMS?: unknown; tspOptions?: unknown; rsaHashAlgorithm?: unknown; eContentType?: unknown }
interface VerifyOptions { data?: unknown; base64?: unknown; verifyCertificate?: unknown }
interface RawOptions { computeHash?: unknown; hashAlgorithm?: unknown }
const DATA_TYPE = '1.2.840.113549.1.7.1';

/** Digests by the names of their constants. */
const HASHES: Record<string, string> = { SHA1: 'sha1', SHA256: 'sha256', SHA384: 'sha384', SHA512: 'sha512', GOST3411_94: 'gost94', GOST3411_12_256: 'streebog256', GOST3411_12_512: 'streebog512' };

function hashOf(type: unknown): string {
  const found = Object.entries(HASHES).find(([name]) => CONSTANTS[`HASH_TYPE_${name}`] === Number(type));
  if (!found) throw new RutokenError('MECHANISM_INVALID');
  return found[1];
}

/** The object pages load: constants, error codes and functions that answer with promises. PINs are dropped here, unread. */
export function rutokenPlugin(agent: Agent): object {
  const calls = new Calls(agent);
  const object: Record<string, unknown> = { version: VERSION, errorCodes: { ...ERROR_CODES }, ...CONSTANTS };
  const add = (name: string, f: Call): void => {
    object[name] = (...args: unknown[]) => Promise.resolve().then(() => f.apply(calls, args)).catch((e: unknown) => Promise.reject(translate(e)));
  };
  for (const name of ABSENT) {
    add(name, () => {
      throw new RutokenError('UNSUPPORTED_BY_TOKEN');
    });
  }
  for (const name of Object.getOwnPropertyNames(Calls.prototype)) if (name !== 'constructor') add(name, calls[name as keyof Calls] as unknown as Call);
  return object;
}

class Calls {
  readonly #agent: Agent;
  readonly #tokens: Tokens;

  constructor(agent: Agent) {
    this.#agent = agent;
    this.#tokens = new Tokens(agent);
  }

  enumerateDevices(options: { mode?: unknown } = {}): Promise<unknown> {
    return options.mode === CONSTANTS['ENUMERATE_DEVICES_EVENTS'] ? this.#tokens.events() : this.#tokens.list();
  }

  async getDeviceInfo(device: unknown, what: unknown): Promise<unknown> {
    const token = await this.#tokens.get(device);
    const answers: Record<string, unknown> = {
      LABEL: token.label, MODEL: token.model, VENDOR_MODEL_NAME: token.model, READER: '', SERIAL: '', TYPE: 0, DEVICE_TYPE: 0, FREE_MEMORY: 0,
      IS_LOGGED_IN: this.#tokens.isEntered(device), FKN_SUPPORTED: false, FORMATS: [], SUPPORTED_MECHANISMS: [], SPEED: 0,
    };
    const found = Object.entries(answers).find(([name]) => CONSTANTS[`TOKEN_INFO_${name}`] === Number(what));
    if (!found) throw new RutokenError('UNSUPPORTED_BY_TOKEN');
    return found[1];
  }

  async getDeviceModel(device: unknown): Promise<string> { return (await this.#tokens.get(device)).model; }
  async getDeviceType(device: unknown): Promise<number> { return (await this.#tokens.get(device)) && 0; }

  login(device: unknown): Promise<void> { return this.#tokens.enter(device, true); }
  logout(device: unknown): Promise<void> { return this.#tokens.enter(device, false); }
  async savePin(device: unknown): Promise<void> { await this.#tokens.get(device); }
  async removePin(device: unknown): Promise<void> { await this.#tokens.get(device); }

  async enumerateKeys(device: unknown): Promise<string[]> {
    await this.#tokens.get(device);
    if (!this.#tokens.isEntered(device)) throw new RutokenError('USER_NOT_LOGGED_IN');
    return (await this.#tokens.certificates(device)).map((c) => c.key);
  }

  async getKeyLabel(device: unknown, key: unknown): Promise<string> { return (await this.#tokens.key(device, key)) && ''; }
  async getKeyByCertificate(device: unknown, id: unknown): Promise<string> { return (await this.#tokens.certificate(device, id)).key; }
  async getPublicKeyValue(device: unknown, key: unknown): Promise<string> { return colons((await this.#tokens.key(device, key)).x509.key.value); }

  async getKeyInfo(device: unknown, key: unknown, what: unknown): Promise<unknown> {
    const { x509 } = await this.#tokens.key(device, key);
    if (what === CONSTANTS['KEY_INFO_ALGORITHM']) return CONSTANTS[`PUBLIC_KEY_ALGORITHM_${keyName(x509)}`];
    if (what === CONSTANTS['KEY_INFO_USAGE_PERIOD']) return { notBefore: keyPeriod(x509).from?.toISOString() ?? '', notAfter: keyPeriod(x509).to?.toISOString() ?? '' };
    if (what === CONSTANTS['KEY_INFO_SPEC']) return CONSTANTS['KEY_SPEC_SIGN'];
    throw new RutokenError('BAD_PARAMS');
  }

  async enumerateCertificates(device: unknown, category: unknown): Promise<string[]> {
    const all = await this.#tokens.certificates(device);
    return category === CONSTANTS['CERT_CATEGORY_USER'] ? all.map((c) => c.id) : [];
  }

  enumerateStoreCertificates(): string[] { return []; }
  getStoreCertificate(): never { throw new RutokenError('CERTIFICATE_NOT_FOUND'); }
  async getCertificate(device: unknown, id: unknown): Promise<string> { return pem((await this.#tokens.certificate(device, id)).x509.der); }
  async getCertLabel(device: unknown, id: unknown): Promise<string> { return (await this.#tokens.certificate(device, id)) && ''; }
  async parseCertificate(device: unknown, id: unknown): Promise<object> { return parsed((await this.#tokens.certificate(device, id)).x509); }
  parseCertificateFromString(text: unknown): object { return parsed(parse(unbase64(text))); }

  async getCertificateInfo(device: unknown, id: unknown, what: unknown): Promise<string> {
    const { x509 } = await this.#tokens.certificate(device, id);
    if (what !== CONSTANTS['CERT_INFO_SERIAL_NUMBER']) throw new RutokenError('BAD_PARAMS');
    return colons(unhexed(x509.serial));
  }

  async enumerateBinaryFiles(device: unknown): Promise<string[]> { return (await this.#tokens.get(device)) && []; }

  async sign(device: unknown, id: unknown, data: unknown, format: unknown, options: SignOptions = {}): Promise<string> {
    const held = await this.#tokens.certificate(device, id);
    if (options.eContentType && options.eContentType !== DATA_TYPE) throw new RutokenError('UNSUPPORTED_BY_TOKEN');
    const form = { ...(options.tspOptions ? { profile: 'cades-t' } : {}), ...algorithm(held, options.rsaHashAlgorithm) };
    if (format === CONSTANTS['DATA_FORMAT_HASH']) {
      return toBase64(await this.#agent.signCms({ certificate: held.listed.id, digest: hex(unhexed(data)).toLowerCase(), ...form }));
    }
    const bytes = decode(data, format);
    if (options.CMS) return toBase64(await this.#beside(held, bytes, unbase64(options.CMS), options.detached === true, form));
    return toBase64(await this.#onBytes(bytes, held, (content) => this.#agent.signCms({ certificate: held.listed.id, content, mime: mimeOf(bytes), attached: options.detached !== true, ...form })));
  }

  /** Signs a word of the page's, so that the page knows who is there. */
  authenticate(device: unknown, id: unknown, salt: unknown): Promise<string> {
    const random = hex(crypto.getRandomValues(new Uint8Array(16)));
    return this.sign(device, id, `${String(salt)}${random}`, CONSTANTS['DATA_FORMAT_PLAIN'], { detached: false });
  }

  async rawSign(device: unknown, key: unknown, data: unknown, options: RawOptions = {}): Promise<string> {
    const held = await this.#tokens.key(device, key);
    const bytes = unhexed(data);
    const value = async (given: object): Promise<string> =>
      colons(await this.#agent.signRaw({ certificate: held.listed.id, ...algorithm(held, options.hashAlgorithm), ...given }));
    if (options.computeHash !== true) return value({ digest: hex(bytes).toLowerCase() });
    if (!(hashOf(options.hashAlgorithm) in digestsOf(held.x509))) throw new RutokenError('MECHANISM_INVALID');
    return this.#onBytes(bytes, held, (content) => value({ content }));
  }

  async digest(_device: unknown, type: unknown, data: unknown, options: { base64?: unknown } = {}): Promise<string> {
    const bytes = options.base64 === true ? unbase64(data) : new TextEncoder().encode(String(data));
    return colons(unhexed(await this.#hash(bytes, hashOf(type))));
  }

  async verify(_device: unknown, cms: unknown, options: VerifyOptions = {}): Promise<boolean> {
    const signature = unbase64(cms);
    const report = options.data === undefined || options.data === ''
      ? await this.#agent.verifyCms(signature)
      : await this.#agent.give(decode(options.data, options.base64 === true), { name: 'Документ' }, (content) => this.#agent.verifyCms(signature, { content }));
    return report.signers.length > 0 && report.signers.every((s) => s.valid && (options.verifyCertificate === false || s.trusted));
  }

  #onBytes<T>(bytes: Uint8Array, held: Held, use: (content: Content) => Promise<T>): Promise<T> {
    return this.#agent.give(bytes, { name: 'Документ', mime: mimeOf(bytes), certificate: held.listed.id }, use);
  }

  #beside(held: Held, bytes: Uint8Array, cms: Uint8Array, detached: boolean, form: object): Promise<Uint8Array<ArrayBuffer>> {
    const params = { certificate: held.listed.id, ...form };
    return this.#agent.give(cms, SIGNATURE, (addTo) => (detached
      ? this.#onBytes(bytes, held, (content) => this.#agent.signCms({ ...params, content, addTo }))
      : this.#agent.signCms({ ...params, addTo })));
  }

  async #hash(bytes: Uint8Array, digestAlg: string): Promise<string> {
    const spool = await Spool.open(this.#agent, { name: 'Документ', digestAlg });
    try {
      await spool.add(bytes);
      return await spool.close(digestAlg);
    } finally {
      spool.drop();
    }
  }
}

/** Data as a page gives it. Older pages say by a boolean whether it is base64. */
function decode(data: unknown, format: unknown): Uint8Array<ArrayBuffer> {
  if (format === true || format === CONSTANTS['DATA_FORMAT_BASE64']) return unbase64(data);
  if (format === CONSTANTS['DATA_FORMAT_SAFETOUCH']) throw new RutokenError('UNSUPPORTED_BY_TOKEN');
  return new TextEncoder().encode(String(data));
}

const KEYS: Record<string, string> = { '1.2.643.7.1.1.1.1': 'GOST3410_2012_256', '1.2.643.7.1.1.1.2': 'GOST3410_2012_512', '1.2.643.2.2.19': 'GOST3410_2001' };

function keyName(c: X509): string {
  return KEYS[c.key.algorithm] ?? (`PUBLIC_KEY_ALGORITHM_RSA_${c.key.length}` in CONSTANTS ? `RSA_${c.key.length}` : 'RSA');
}

/** An RSA key signs with the digest the page names; other keys have one. */
function algorithm(held: Held, hash: unknown): { algorithm?: string } {
  if (hash === undefined || !held.listed.algorithm.startsWith('rsa-')) return {};
  return { algorithm: `rsa-${hashOf(hash)}` };
}
