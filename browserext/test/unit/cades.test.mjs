// SPDX-License-Identifier: GPL-3.0-or-later
// The cadesplugin face without an agent: what it reads, writes and says by itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { load, root } from '../load.mjs';

const {
  basicConstraints, Certificate, Certificates, CODE, constants, decode, encode, Face, fault, fromText, keyUsage, lines, ownPlugin, parse, PerstenError, plugin, policies, PrivateKey, purposes,
  readSigned, Signer, toText, translate, troubleOf, unbase64, x500,
} = await load(
  'sdk/errors.ts',   'src/compat/x509.ts', 'src/compat/cms.ts', 'src/compat/cades/bytes.ts', 'src/compat/cades/certificate.ts', 'src/compat/cades/signer.ts', 'src/compat/cades/store.ts', 'src/compat/cades/constants.ts', 'src/compat/cades/errors.ts',
  'src/compat/cades/face.ts', 'src/compat/cades/keys.ts', 'src/compat/cades/names.ts', 'src/compat/cades/own.ts', 'src/compat/cades/plugin.ts', 'src/compat/cades/xmltext.ts',
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
  const sorted = Object.entries(ours).sort(([a], [b]) => (a < b ? -1 : 1));
  // The same digest as of the members of the vendor's own script, which is not ours to keep here.
  assert.equal(createHash('sha256').update(JSON.stringify(sorted)).digest('hex'), 'bdfbea0a4e36bf669d9716b7d25a9210a7a9e6be424041960cdade358b9e3b7f');
});

/** Numbers that portals compare with, and what of the agent's leads to them. */
const NUMBERS = {
  '0x80090016': 'token_absent token_removed module_failed module_not_started', '0x8007065B': 'module_licence', '0x80090019': 'agent_not_installed', '0x8009200B': 'key_absent', '0x80092004': 'certificate_absent',
  '0x8010006E': 'user_rejected user_stopped', '0x800704C7': 'user_timeout request_cancelled', '0x8010006B': 'pin_incorrect', '0x8010006C': 'pin_locked',
  '0x80070057': 'request_invalid', '0x80090008': 'algorithm_unsupported', '0x80090010': 'certificate_key_expired', '0x80070002': 'network_unreachable network_timeout',
  '0x800B010A': 'certificate_untrusted', '0x800B0101': 'certificate_expired signer_expired', '0x800B010C': 'certificate_revoked signer_revoked',
  '0x800B010E': 'revocation_unknown', '0xC2100121': 'timestamp_absent', '0xC2110F00': 'origin_not_allowed origin_denied', '0x800705B9': 'format_xml',
  '0x80090006': 'signature_invalid', '0x80091007': 'content_mismatch', '0x800B0110': 'certificate_not_for_signing', '0x8009200E': 'signature_incomplete',
  '0x8009100E': 'format_cms', '0x80070490': 'xml_reference_absent', '0x800705BA': 'signer_unknown', '0x8007000D': 'xml_signature_absent',
};

test("the agent's codes are the numbers portals know", () => {
  for (const [number, codes] of Object.entries(NUMBERS)) {
    for (const code of codes.split(' ')) {
      const { message } = translate(new PerstenError({ code }, 'ru'));
      assert.match(message, new RegExp(`\\(${number}\\)$`), code);
    }
  }
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
    'CAdESCOM.SymmetricAlgorithm', 'X509Enrollment.CCspInformation', 'X509Enrollment.CCertificatePolicies', 'X509Enrollment.CCertificatePolicy',
    'X509Enrollment.CX509ExtensionCertificatePolicies', 'X509Enrollment.CX509ExtensionIdentificationKind', 'X509Enrollment.CPolicyQualifier',
    'X509Enrollment.CX509ExtensionTemplate', 'X509Enrollment.CX509NameValuePair',
    'X509Enrollment.CX509PrivateKey', 'X509Enrollment.CX509CertificateRequestPkcs10', 'X509Enrollment.CX500DistinguishedName', 'X509Enrollment.CX509ExtensionKeyUsage',
    'X509Enrollment.CX509Enrollment', 'X509Enrollment.CCspInformations', 'X509Enrollment.CX509Extension', 'X509Enrollment.CX509ExtensionEnhancedKeyUsage',
    'X509Enrollment.CObjectIds', 'X509Enrollment.CObjectId', 'X509Enrollment.CX509Extensions']) {
    assert.equal(typeof await made(name), 'object', name);
  }
  for (const name of ['CAPICOM.Signer', 'CAPICOM.HashedData', 'toString', '', undefined]) await assert.rejects(made(name), /\(0x80040154\)$/, String(name));
});

/** Members that portals use, of the objects a page makes itself. A name with = can be read and set. */
const MEMBERS = {
  'CAdESCOM.About': 'PluginVersion CSPVersion Version CSPName ProviderVersion MajorVersion MinorVersion BuildVersion =MediaFilter =ReaderFilter',
  'CAdESCOM.Store': 'Open Close Certificates Add Delete Remove Location Name AddCRL ImportPFX',
  'CAdESCOM.Certificate': 'SubjectName Thumbprint ValidFromDate ValidToDate IssuerName SerialNumber PublicKey PrivateKey HasPrivateKey IsValid Export ExtendedKeyUsage '
    + 'Version FindPrivateKey GetInfo Import KeyUsage BasicConstraints Extensions PrivateKeyUsagePeriodFrom PrivateKeyUsagePeriodTo AdditionalStore',
  'CAdESCOM.CPSigner': '=Certificate =Options =CheckCertificate =TSAAddress propset_KeyPin AuthenticatedAttributes2 UnauthenticatedAttributes CRLs OCSPResponses '
    + 'SigningTime SignatureTimeStampTime SignatureStatus',
  'CAdESCOM.CPAttribute': '=Name =Value =OID =ValueEncoding',
  'CAdESCOM.CadesSignedData': '=ContentEncoding =Content SignCades SignHash VerifyCades VerifyHash CoSignCades CoSignHash EnhanceCades Sign CoSign Verify Signers '
    + 'Certificates GetMsgType IsMsgType AdditionalStore propset_DisplayData',
  'CAdESCOM.HashedData': '=Algorithm =DataEncoding Hash SetHashValue Value propset_Key',
  'CAdESCOM.RawSignature': 'SignHash VerifyHash',
  'CAdESCOM.SignedXML': '=Content =SignatureType =SignatureMethod =DigestMethod Sign Verify Signers',
  'CAdESCOM.CPEnvelopedData': '=ContentEncoding =Content Recipients Encrypt Decrypt Algorithm StreamEncrypt StreamDecrypt',
  'CAdESCOM.SymmetricAlgorithm': 'GenerateKey Encrypt Decrypt ImportKey ExportKey DiversifyKey =DiversData =IV SetMode SetPadding',
  'CAdESCOM.CPLicense': 'IsValid ValidTo FirstInstallDate CompanyName SerialNumber',
  'X509Enrollment.CCspInformations': 'AddAvailableCsps Count ItemByIndex',
  'X509Enrollment.CCspInformation': 'Name Type LegacyCsp InitializeFromName GetReaderModes EnumContainers',
  'X509Enrollment.CX509PrivateKey': '=ProviderName =ProviderType =KeySpec =ExportPolicy =ContainerName =Existing propset_Pin',
  'X509Enrollment.CX509CertificateRequestPkcs10': 'InitializeFromPrivateKey X509Extensions =Subject NameValuePairs',
  'X509Enrollment.CX500DistinguishedName': 'Encode',
  'X509Enrollment.CX509ExtensionKeyUsage': 'InitializeEncode',
  'X509Enrollment.CX509ExtensionEnhancedKeyUsage': 'InitializeEncode',
  'X509Enrollment.CX509Extension': 'Initialize',
  'X509Enrollment.CX509Extensions': 'Add',
  'X509Enrollment.CX509Enrollment': 'InitializeFromRequest CreateRequest Initialize InstallResponse',
  'X509Enrollment.CObjectId': 'InitializeFromValue',
  'X509Enrollment.CObjectIds': 'Add',
};

/** The members of a text as above that an object lacks. */
const lacking = (page, members) => members.split(' ').flatMap((m) => (m.startsWith('=') ? [m.slice(1), `propset_${m.slice(1)}`] : [m])).filter((m) => !Object.hasOwn(page, m));

test('every member of the table is there', async () => {
  for (const [name, members] of Object.entries(MEMBERS)) assert.deepEqual(lacking(await made(name), members), [], name);
  const version = await (await made('CAdESCOM.About')).PluginVersion;
  assert.deepEqual(lacking(version, 'MajorVersion MinorVersion BuildVersion toString'), []);
  const store = await made('CAdESCOM.Store');
  await store.Open(2, 'Root');
  assert.deepEqual(lacking(await store.Certificates, 'Count Item Find'), []);
  const c = await made('CAdESCOM.Certificate');
  await c.Import(lines(new Uint8Array(node.raw)));
  const parts = {
    'Result ErrorStatuses ValidationCertificates': c.IsValid(), 'Algorithm Length EncodedKey EncodedParameters': c.PublicKey(), 'EKUs IsPresent': c.ExtendedKeyUsage(),
    'IsPresent IsCertificateAuthority PathLenConstraint': c.BasicConstraints(), 'Count Item': c.Extensions(),
    'Value FriendlyName': (await c.PublicKey()).Algorithm, 'Count Item Add': (await made('CAdESCOM.CPSigner')).AuthenticatedAttributes2,
    'Count Item Add Clear': (await made('CAdESCOM.CPEnvelopedData')).Recipients, '=Name': (await made('CAdESCOM.CPEnvelopedData')).Algorithm,
  };
  for (const [members, part] of Object.entries(parts)) assert.deepEqual(lacking(await part, members), []);
  assert.deepEqual(lacking(face.model.page(new PrivateKey(certificate, '00', '')),
    'ProviderName ProviderType UniqueContainerName ContainerName propset_CachePin propset_KeyPin KeySpec IsDefaultPin ChangePin'), []);
});

test('what is there but not made says so, in words and 0x80004001', async () => {
  for (const [name, members] of Object.entries({
    'CAdESCOM.CPEnvelopedData': 'Encrypt Decrypt StreamEncrypt StreamDecrypt', 'CAdESCOM.SymmetricAlgorithm': 'GenerateKey Encrypt Decrypt ImportKey ExportKey SetMode',
    'CAdESCOM.CadesSignedData': 'EnhanceCades', 'CAdESCOM.RawSignature': 'VerifyHash', 'X509Enrollment.CX509Enrollment': 'CreateRequest InstallResponse',
  })) {
    const page = await made(name);
    for (const member of members.split(' ')) await assert.rejects(page[member](), /[а-я].*\(0x80004001\)$/, `${name}.${member}`);
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
  assert.deepEqual(await Promise.all([0, 1, 2, 6, 100].map((type) => c.GetInfo(type))),
    ['Демонстрационный Подписант', 'Демонстрационный Подписант', 'demo@example.invalid', '', 'ROOT']);
  await assert.rejects(c.GetInfo(8), /0x80070057/);
  const status = await c.IsValid();
  assert.equal(await status.Result, false, 'nobody followed its chain');
  assert.equal(await (await status.ErrorStatuses).Item(1), 0x10000);
});

test('what is imported over a certificate of a token has no longer its key', async () => {
  const own = new Certificate(face, new Uint8Array(node.raw), { id: 'a'.repeat(64), thumbprint: 'b'.repeat(40), token: { label: 'x' } });
  const c = face.model.page(own);
  assert.equal(await c.HasPrivateKey(), true);
  await assert.rejects(c.Import('AAAA'), /0x8007000D/);
  assert.equal(await c.HasPrivateKey(), true, 'nothing was imported');
  await c.Import(lines(new Uint8Array(node.raw)));
  assert.deepEqual([await c.HasPrivateKey(), await c.Thumbprint], [false, node.fingerprint.replaceAll(':', '')]);
});

test('certificates are found by what is in them, and by time', async () => {
  const one = new Certificate(face, new Uint8Array(node.raw));
  const all = face.model.page(new Certificates([one]));
  const count = async (...criteria) => (await all.Find(...criteria)).Count;
  const found = [
    [0, node.fingerprint.replaceAll(':', ' ').toLowerCase()], [1, 'подписант'], [2, 'ПРИМЕР'], [5, '2.5.29.15'], [6, 3], [6, 20], [7, '1.3.6.1.5.5.7.3.2'],
    [8, '1.2.643.100.113.1'], [9], [9, undefined, true], [9, new Date()], [10, '2001-01-01T00:00:00.000Z'], [11, '2101-01-01T00:00:00.000Z'], [12, 0x80],
  ];
  for (const criteria of found) assert.equal(await count(...criteria), 1, String(criteria));
  for (const criteria of [[0, 'AB'], [1, 'nobody'], [4, 'SmartcardLogon'], [6, 2], [6, 5], [7, '1.3.6.1.5.5.7.3.1'], [10], [11], [12, 0x40]]) {
    assert.equal(await count(...criteria), 0, String(criteria));
  }
  for (const criteria of [[6, 31], [12, 0x81], [12, 0], [13], [9, 'no time']]) await assert.rejects(all.Find(...criteria), /\(0x80070057\)$/, String(criteria));
});

test('an attribute that would not be signed refuses the signature', async () => {
  const signer = face.model.page(new Signer());
  const data = await made('CAdESCOM.CadesSignedData');
  await signer.propset_Certificate(face.model.page(new Certificate(face, new Uint8Array(node.raw), { id: 'ab'.repeat(32) })));
  await data.propset_Content('x');
  const other = await made('CAdESCOM.CPAttribute');
  await other.propset_OID('1.2.643.1.2.3');
  await other.propset_Name(-1);
  await (await signer.AuthenticatedAttributes2).Add(other);
  await assert.rejects(data.SignCades(signer, 1), /атрибут.*\(0x80004001\)$/);
  await assert.rejects(signer.SigningTime, /0x800B0100/, 'nothing was verified');
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
    for (const member of Object.keys(page)) {
      const value = Object.getOwnPropertyDescriptor(page, member).get ? await page[member].catch((e) => e.message) : '';
      assert.equal(String(value).includes(canary), false, `${name}.${member}`);
    }
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
