// SPDX-License-Identifier: GPL-3.0-or-later
// The cadesplugin face without an agent: what it reads, writes and says by itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { load, root } from '../load.mjs';

const {
  basicConstraints, CODE, constants, decode, encode, Face, fault, fromText, keyUsage, lines, ownPlugin, parse, plugin, policies, purposes, readSigned,
  toText, translate, troubleOf, unbase64, x500,
} = await load(
  'src/compat/x509.ts', 'src/compat/cms.ts', 'src/compat/cades/bytes.ts', 'src/compat/cades/constants.ts', 'src/compat/cades/errors.ts',
  'src/compat/cades/face.ts', 'src/compat/cades/names.ts', 'src/compat/cades/own.ts', 'src/compat/cades/plugin.ts', 'src/compat/cades/xmltext.ts',
);

const dir = mkdtempSync(path.join(os.tmpdir(), 'persten-cades-'));
after(() => rmSync(dir, { recursive: true }));
const at = (name) => path.join(dir, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });

writeFileSync(at('req.cnf'), `[req]
prompt = no
string_mask = utf8only
distinguished_name = dn
x509_extensions = ext
[dn]
emailAddress = demo@example.invalid
x.1.2.643.100.4 = 7707000000
x.1.2.643.100.1 = 1027700000000
x.1.2.643.100.3 = 00000000000
x.1.2.3.4.5 = x
C = RU
ST = 77 Москва
L = Москва
O = ООО \\"Пример\\", Москва
SN = Подписант
GN = Демонстрационный
CN = Демонстрационный Подписант
[ext]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = critical,digitalSignature,keyCertSign
extendedKeyUsage = clientAuth,emailProtection
certificatePolicies = 1.2.643.100.113.1,1.2.643.100.113.2
`);
openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-utf8', '-config', 'req.cnf', '-keyout', 'k.pem', '-out', 'c.pem', '-days', '5', '-set_serial', '0x00a1b2c3');
const node = new X509Certificate(readFileSync(at('c.pem')));
const certificate = parse(new Uint8Array(node.raw));

test('a certificate is read as OpenSSL reads it', () => {
  assert.equal(certificate.serial, 'A1B2C3');
  assert.equal(certificate.version, 3);
  assert.equal(certificate.notBefore.getTime(), Date.parse(node.validFrom));
  assert.equal(certificate.notAfter.getTime(), Date.parse(node.validTo));
  assert.equal(certificate.key.algorithm, '1.2.840.113549.1.1.1');
  assert.equal(certificate.key.length, 2048);
  assert.equal(keyUsage(certificate), 0x84);
  assert.deepEqual(purposes(certificate), ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.4']);
  assert.deepEqual(policies(certificate), ['1.2.643.100.113.1', '1.2.643.100.113.2']);
  assert.deepEqual(basicConstraints(certificate), { present: true, ca: true, path: 1 });
  assert.throws(() => parse(new Uint8Array(node.raw).subarray(0, 100)));
});

test('a name is written as portals take it apart', () => {
  assert.equal(x500(certificate.subject), 'CN=Демонстрационный Подписант, G=Демонстрационный, SN=Подписант, O="ООО ""Пример"", Москва", L=Москва, '
    + 'S=77 Москва, C=RU, OID.1.2.3.4.5=x, СНИЛС=00000000000, ОГРН=1027700000000, ИНН ЮЛ=7707000000, E=demo@example.invalid');
});

test('certificates and content are found in a signature; DER and BER, attached and detached', () => {
  writeFileSync(at('doc'), 'document '.repeat(5000));
  for (const stream of [[], ['-stream']]) {
    const der = openssl('cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-signer', 'c.pem', '-inkey', 'k.pem', '-in', 'doc', ...stream);
    const signed = readSigned(new Uint8Array(der));
    assert.equal(Buffer.from(signed.content).toString(), 'document '.repeat(5000));
    assert.deepEqual(signed.certificates.map((c) => Buffer.from(c).equals(node.raw)), [true]);
  }
  const detached = readSigned(new Uint8Array(openssl('cms', '-sign', '-binary', '-outform', 'DER', '-signer', 'c.pem', '-inkey', 'k.pem', '-in', 'doc')));
  assert.equal(detached.content, undefined);
  for (const junk of [new Uint8Array(0), new Uint8Array([0x30, 0x80]), new Uint8Array(1000).fill(0x30), new Uint8Array(1000).fill(0x80), new Uint8Array(node.raw)]) {
    assert.equal(readSigned(junk), undefined);
  }
});

test('base64 comes in lines of 64 with Windows ends, and any form of it is taken', () => {
  const bytes = new Uint8Array(100).map((_, i) => i);
  const text = lines(bytes);
  assert.match(text, /^[^\r\n]{64}\r\n[^\r\n]{64}\r\n[^\r\n]{8}\r\n$/);
  for (const form of [text, text.replace(/\s/g, ''), `-----BEGIN CMS-----\n${text}-----END CMS-----\n`]) assert.deepEqual(unbase64(form), bytes);
  assert.throws(() => unbase64('это не base64'), /0x80070057/);
  assert.deepEqual([...decode('Аб', 0)], [0x10, 0x04, 0x31, 0x04]);
  assert.equal(encode(decode('\ufeffАб', 0), 0), '\ufeffАб');
  assert.throws(() => decode('x', 5), /0x80070057/);
});

test('every constant of 2.4.5 is there, with the values of a script that portals carry', async () => {
  const ours = constants();
  assert.equal(Object.keys(ours).length, 253);
  const theirs = readFileSync(path.join(root, 'node_modules/crypto-pro/dist/crypto-pro.js'), 'utf8');
  const named = [...theirs.matchAll(/\bcadesplugin\.([A-Z]\w+) = ("[^"]*"|-?\w+);/g)].filter(([, name]) => name !== 'JSModuleVersion' && /^(C|X|LOG)/.test(name) && !/^Create/.test(name));
  assert.ok(named.length > 60, `${named.length} constants found in the client's loader`);
  for (const [, name, value] of named) assert.equal(ours[name], JSON.parse(value.startsWith('0x') ? String(Number(value)) : value), name);
  for (const [name, value] of Object.entries({ CADESCOM_CADES_X_LONG_TYPE_1: 0x5d, CERT_TRUST_HAS_WEAK_SIGNATURE: 0x100000, XmlDsigGost3411Url2012512: 'urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34112012-512', AT_SIGNATURE: 2, ContextUser: 1, AlgorithmFlagsWrap: 1 })) assert.equal(ours[name], value, name);
});

test('an error is Russian words and a number at the end, whatever it was', () => {
  assert.equal(fault('parameter').message, 'Неверно задан параметр. (0x80070057)');
  for (const trouble of Object.keys(CODE)) assert.match(fault(trouble).message, /[а-яё].*[^.]\. \(0x[0-9A-F]{8}\)$/, trouble);
  assert.match(translate(new Error('anything')).message, /^[А-Я].* \(0x80004005\)$/);
  assert.equal(troubleOf('pin_locked'), 'pinLocked');
  assert.equal(troubleOf('toString'), 'unexpected');
});

test('XML goes in the encoding it declares, and comes back as text', () => {
  const cyrillic = '<?xml version="1.0" encoding="windows-1251"?><а>Ёж №</а>';
  const { bytes, label } = fromText(cyrillic);
  assert.equal(label, 'windows-1251');
  assert.equal(bytes.length, cyrillic.length);
  assert.equal(toText(bytes, label), cyrillic);
  assert.equal(toText(fromText(`${cyrillic}<!-- -->`.replace('Ёж', 'Ёж 漢')).bytes, label).includes('&#28450;'), true);
  assert.deepEqual(fromText('<a>я</a>').bytes, new TextEncoder().encode('<a>я</a>'));
  assert.equal(fromText('<?xml version="1.0" encoding="nonsense"?><a/>').label, 'utf-8');
});

const made = async (name) => plugin(face).CreateObjectAsync(name);
const face = new Face();

test('every object of the table is made, by any spelling; others are not', async () => {
  for (const name of ['CAdESCOM.About', 'CADESCOM.CadesSignedData', 'cadescom.cpsigner', 'CAdESCOM.Store', 'CAPICOM.Store', 'CAPICOM.store', 'CAPICOM.Certificate',
    'CADESCOM.CPAttribute', 'CAdESCOM.SignedXML', 'CAdESCOM.HashedData', 'CAdESCOM.RawSignature', 'CAdESCOM.CPEnvelopedData', 'CAdESCOM.CPLicense',
    'X509Enrollment.CX509PrivateKey', 'X509Enrollment.CX509CertificateRequestPkcs10', 'X509Enrollment.CX500DistinguishedName', 'X509Enrollment.CX509ExtensionKeyUsage',
    'X509Enrollment.CX509Enrollment', 'X509Enrollment.CCspInformations', 'X509Enrollment.CX509Extension', 'X509Enrollment.CX509ExtensionEnhancedKeyUsage',
    'X509Enrollment.CObjectIds', 'X509Enrollment.CObjectId', 'X509Enrollment.CX509Extensions']) {
    assert.equal(typeof await made(name), 'object', name);
  }
  for (const name of ['CAPICOM.Signer', 'CAPICOM.HashedData', 'toString', '', undefined]) await assert.rejects(made(name), /\(0x80040154\)$/, String(name));
});

/** The starred members of peers' usage table, of the objects a page makes itself. */
const STARRED = {
  'CAdESCOM.About': 'PluginVersion CSPVersion Version',
  'CAdESCOM.Store': 'Open Close Certificates',
  'CAdESCOM.Certificate': 'SubjectName Thumbprint ValidFromDate ValidToDate IssuerName SerialNumber PublicKey PrivateKey HasPrivateKey IsValid Export ExtendedKeyUsage',
  'CAdESCOM.CPSigner': 'propset_Certificate propset_Options AuthenticatedAttributes2 propset_CheckCertificate Certificate propset_KeyPin propset_TSAAddress',
  'CAdESCOM.CPAttribute': 'propset_Name propset_Value',
  'CAdESCOM.CadesSignedData': 'propset_ContentEncoding propset_Content Content SignCades SignHash VerifyCades VerifyHash CoSignCades Signers',
  'CAdESCOM.HashedData': 'propset_Algorithm propset_DataEncoding Hash SetHashValue Value',
  'CAdESCOM.RawSignature': 'SignHash',
  'CAdESCOM.SignedXML': 'propset_Content propset_SignatureType propset_SignatureMethod propset_DigestMethod Sign',
  'CAdESCOM.CPEnvelopedData': 'propset_ContentEncoding propset_Content Content Recipients Encrypt Decrypt',
  'X509Enrollment.CCspInformations': 'AddAvailableCsps Count ItemByIndex',
  'X509Enrollment.CX509PrivateKey': 'propset_ProviderName propset_ProviderType propset_KeySpec propset_ExportPolicy',
  'X509Enrollment.CX509CertificateRequestPkcs10': 'InitializeFromPrivateKey X509Extensions propset_Subject',
  'X509Enrollment.CX500DistinguishedName': 'Encode',
  'X509Enrollment.CX509ExtensionKeyUsage': 'InitializeEncode',
  'X509Enrollment.CX509Extension': 'Initialize',
  'X509Enrollment.CX509Enrollment': 'InitializeFromRequest CreateRequest Initialize InstallResponse',
  'X509Enrollment.CObjectId': 'InitializeFromValue',
  'X509Enrollment.CObjectIds': 'Add',
};

test('every starred member is there', async () => {
  for (const [name, members] of Object.entries(STARRED)) {
    const page = await made(name);
    for (const member of members.split(' ')) assert.ok(Object.hasOwn(page, member), `${name}.${member}`);
  }
});

test('a certificate the page imports is shown, and has no key', async () => {
  const c = await made('CAdESCOM.Certificate');
  await assert.rejects(c.SubjectName, /0x80070057/);
  await c.Import(lines(new Uint8Array(node.raw)));
  assert.equal(await c.Thumbprint, node.fingerprint.replaceAll(':', ''));
  assert.equal(await c.ValidFromDate, new Date(node.validFrom).toISOString());
  assert.equal(await c.HasPrivateKey(), false);
  await assert.rejects(c.PrivateKey, /\(0x8009200B\)$/);
  assert.equal((await c.Export(0)).replace(/\s/g, ''), node.raw.toString('base64'));
  await assert.rejects(c.Export(1), /0x80070057/);
  const key = await c.PublicKey();
  assert.equal(await (await key.Algorithm).Value, '1.2.840.113549.1.1.1');
  const eku = await (await c.ExtendedKeyUsage()).EKUs;
  assert.equal(await eku.Count, 2);
  assert.equal(await (await eku.Item(1)).OID, '1.3.6.1.5.5.7.3.2');
  await assert.rejects(eku.Item(0), /0x80070057/);
  await assert.rejects(eku.Item(3), /0x80070057/);
  const signer = await made('CAdESCOM.CPSigner');
  await signer.propset_Certificate(c);
  assert.equal(await signer.Certificate, c);
});

test('what the real plug-in refuses is refused with its numbers', async () => {
  const h = await made('CAdESCOM.HashedData');
  assert.equal(await h.Algorithm, 100);
  await assert.rejects(h.Value, /0x80070057/, 'before anything was hashed');
  await h.propset_Algorithm(101);
  await assert.rejects(h.SetHashValue('AB'), /0x80070057/, 'of a wrong length');
  await assert.rejects(h.SetHashValue('zz'.repeat(32)), /0x80070057/);
  await h.SetHashValue('ab'.repeat(32));
  assert.equal(await h.Value, 'AB'.repeat(32));
  await assert.rejects(h.propset_Algorithm(2), /0x80004001/, 'MD4');
  const s = await made('CAdESCOM.CadesSignedData');
  await assert.rejects(s.Signers, /0x800B0100/);
  await assert.rejects(s.GetMsgType(btoa('no signature')), /0x80091004/);
  const signer = await made('CAdESCOM.CPSigner');
  await assert.rejects(s.SignCades(signer, 0), /0xC2100121/, 'the default type wants time-stamps');
  await assert.rejects(s.SignCades({}, 1), /0x80070057/);
  const store = await made('CAdESCOM.Store');
  await assert.rejects(store.Certificates, /0x80070057/);
  await store.Open(2, 'My', 2);
  await assert.rejects(store.Add({}), /0x80070005/, 'read-only');
  await store.Open(2, 'Root', 0);
  assert.equal(await (await store.Certificates).Count, 0);
  const xml = await made('CAdESCOM.SignedXML');
  await assert.rejects(xml.propset_SignatureType(9), /0x8/);
});

test('a PIN the page gives goes nowhere', async () => {
  const canary = 'canary-7391';
  for (const [name, calls] of Object.entries({
    'CAdESCOM.CPSigner': [['propset_KeyPin', canary]],
    'X509Enrollment.CX509PrivateKey': [['propset_Pin', canary]],
    'X509Enrollment.CX509Enrollment': [['Initialize', 1], ['InstallResponse', 4, 'AAAA', 1, canary]],
  })) {
    const page = await made(name);
    for (const [member, ...args] of calls) await page[member](...args).catch(() => undefined);
    for (const member of Object.keys(page)) assert.equal(String(await (Object.getOwnPropertyDescriptor(page, member).get ? page[member] : '')).includes(canary), false, `${name}.${member}`);
  }
  for (const file of ['keys.ts', 'signer.ts', 'enroll.ts']) {
    for (const [, body] of readFileSync(path.join(root, 'src/compat/cades', file), 'utf8').matchAll(/set (?:KeyPin|Pin|CachePin)\(_: unknown\) \{(.*)\}/g)) assert.equal(body, '', file);
  }
});

test('the object for pages without the script is a promise with the members of one', async () => {
  const own = ownPlugin(plugin(face), async () => true);
  assert.ok(own instanceof Promise);
  await own;
  assert.equal(own.CADESCOM_CADES_BES, 1);
  const about = await own.CreateObjectAsync('CAdESCOM.About');
  const version = await about.PluginVersion;
  assert.match(await version.toString(), /^2\.0\.\d{5}$/);
  const got = await own.async_spawn(function* ([a, b]) {
    try {
      yield Promise.reject(new Error('x'));
    } catch (e) {
      return a + b + (yield Promise.resolve(e.message));
    }
  }, 'a', 'b');
  assert.equal(got, 'abx');
  assert.equal(own.getLastError(new Error('Нет (0x80090016)')), 'Нет (0x80090016)');
  assert.equal(own.getLastError({ message: 'Нет', number: -2146893802 }), 'Нет (0x80090016)');
  await assert.rejects(ownPlugin(plugin(face), async () => false), /недоступен/);
});
