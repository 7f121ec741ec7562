// SPDX-License-Identifier: GPL-3.0-or-later
// A portal written for the Rutoken plug-in, with npm rutoken as it is published and the calls its vendor's demonstration makes:
// Chromium with the extension, a session, a SoftHSM key and the demonstration token's GOST keys. OpenSSL judges what comes back.
import assert from 'node:assert/strict';
import { verify as verifyRaw, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { browsers } from './browsers.mjs';
import { root } from './load.mjs';
import { DEMO_PIN, PIN, skipIn, startPortal } from './portal.mjs';

const document = 'Прошу предоставить мне отпуск с 1 по 14 июня.';

const pages = {
  'rutoken.js': await readFile(path.join(root, 'node_modules/rutoken/rutoken.min.js'), 'utf8'),
  'real.html': '<!doctype html><title>Другой адаптер</title><script>window["C3B7563B-BF85-45B7-88FC-7CFF1BD3C2DB"] = { initialize: () => Promise.resolve(), isPluginInstalled: () => Promise.resolve("real") }</script><script src="rutoken.js"></script>',
  'portal.html': '<!doctype html><meta charset="utf-8"><title>Портал</title><script src="rutoken.js"></script>',
};

const sign = async ([token, index, data, options]) => {
  const ids = await plugin.enumerateCertificates(by[token], plugin.CERT_CATEGORY_USER);
  const all = await Promise.all(ids.map(async (id) => ({ id, text: (await plugin.parseCertificate(by[token], id)).text })));
  const { id } = all.find((c) => c.text.includes(index));
  return plugin.sign(by[token], id, data, plugin.DATA_FORMAT_PLAIN, options);
};

/** The flows of portals, in a browser of a kind. */
function flows(kind) {
  const skip = skipIn(kind);
  const check = (name, f) => test(name, { skip, timeout: 120_000 }, f);
  let portal, page;

  before(async () => {
    if (skip) return;
    portal = await startPortal(kind, 'rutoken', pages);
    page = portal.page = await portal.open('portal.html');
    await page.evaluate(async () => {
      await rutoken.ready;
      if (!(await rutoken.isExtensionInstalled())) throw new Error('no extension');
      if (!(await rutoken.isPluginInstalled())) throw new Error('no plug-in');
      window.plugin = await rutoken.loadPlugin();
      window.by = {};
      for (const d of await plugin.enumerateDevices()) by[/demo/i.test(await plugin.getDeviceInfo(d, plugin.TOKEN_INFO_LABEL)) ? 'demo' : 'softhsm'] = d;
    });
  });

  after(() => portal?.end());

  const signed = (f, arg, pin, shot) => portal.signed(f, arg, pin, shot);

  const openssl = async (signature, content) => String(await portal.agent.opensslGost(Buffer.from(signature, 'base64'), content));

  /** The number an error says, as a name. */
  const refused = (f, arg) => page.evaluate(f, arg).then((v) => `answered ${v}`, (e) => {
    const number = Number(/\d+/.exec(e.message)?.[0]);
    return page.evaluate((n) => Object.keys(plugin.errorCodes).find((k) => plugin.errorCodes[k] === n), number);
  });

  check('devices, certificates and what is in them', async () => {
    const found = await page.evaluate(async () => {
      const d = by.softhsm;
      const [id] = await plugin.enumerateCertificates(d, plugin.CERT_CATEGORY_USER);
      await plugin.login(d, 'not the PIN');
      return {
        version: plugin.version, devices: (await plugin.enumerateDevices({ mode: plugin.ENUMERATE_DEVICES_LIST })).length, events: await plugin.enumerateDevices({ mode: plugin.ENUMERATE_DEVICES_EVENTS }),
        label: await plugin.getDeviceInfo(d, plugin.TOKEN_INFO_LABEL), in: await plugin.getDeviceInfo(d, plugin.TOKEN_INFO_IS_LOGGED_IN), id,
        others: (await plugin.enumerateCertificates(d, plugin.CERT_CATEGORY_CA)).length, pem: await plugin.getCertificate(d, id), parsed: await plugin.parseCertificate(d, id),
        serial: await plugin.getCertificateInfo(d, id, plugin.CERT_INFO_SERIAL_NUMBER), key: await plugin.getKeyByCertificate(d, id), keys: await plugin.enumerateKeys(d, ''),
        codes: Object.keys(plugin.errorCodes).length, demo: (await plugin.enumerateCertificates(by.demo, plugin.CERT_CATEGORY_USER)).length,
      };
    });
    const c = new X509Certificate(await readFile(path.join(portal.shop.dir, 'leaf.der')));
    assert.equal(found.devices, 2);
    assert.deepEqual(found.events, { connected: [], disconnected: [] });
    assert.equal(found.label, 'browser-test');
    assert.equal(found.in, true);
    assert.equal(found.id, c.fingerprint.toLowerCase());
    assert.equal(found.others, 0);
    assert.equal(new X509Certificate(found.pem).fingerprint, c.fingerprint);
    assert.equal(found.serial.replaceAll(':', ''), c.serialNumber.toLowerCase());
    assert.deepEqual(found.parsed.subject, [{ rdn: 'commonName', value: 'Демонстрационный Подписант' }, { rdn: 'organizationName', value: 'Демонстрационная организация' }]);
    assert.equal(Date.parse(found.parsed.validNotAfter), Date.parse(c.validTo));
    assert.deepEqual(found.parsed.extensions.keyUsage, ['digitalSignature', 'nonRepudiation']);
    assert.match(found.parsed.text, /Version: 3 [\s\S]*Public Key Algorithm: rsaEncryption/);
    assert.deepEqual(found.keys, [found.key]);
    assert.ok(found.codes >= 131);
    assert.equal(found.demo, 4);
  });

  check('attached and detached signatures, RSA and GOST, which OpenSSL accepts', async () => {
    for (const [token, key, pin] of [['softhsm', 'rsaEncryption', PIN], ['demo', '2012 with 256', DEMO_PIN]]) {
      const attached = await signed(sign, [token, key, document, { detached: false, addSignTime: true, addUserCertificate: true }], pin);
      assert.equal(await openssl(attached), document);
      const detached = await signed(sign, [token, key, document, { detached: true }], pin);
      await openssl(detached, document);
      await assert.rejects(openssl(detached, `${document}!`));
      const verify = ([cms, options]) => plugin.verify(by.demo, cms, { verifyCertificate: false, ...options });
      assert.equal(await page.evaluate(verify, [attached, {}]), true);
      assert.equal(await page.evaluate(verify, [detached, { data: document }]), true);
      assert.equal(await page.evaluate(verify, [detached, { data: `${document}!` }]), false);
    }
  });

  check('a second signer is added', async () => {
    const first = await signed(sign, ['softhsm', 'rsaEncryption', document, { detached: false }], PIN);
    const both = await signed(sign, ['demo', '2012 with 256', '', { detached: false, CMS: first }], DEMO_PIN);
    assert.equal(await openssl(both), document);
  });

  check('authentication signs the word of the page', async () => {
    const made = await signed(async (salt) => {
      const [id] = await plugin.enumerateCertificates(by.softhsm, plugin.CERT_CATEGORY_USER);
      return plugin.authenticate(by.softhsm, id, salt);
    }, '5e0c7c9a7a544d1c', PIN, `rutoken-${kind}-login`);
    assert.match(await openssl(made), /^5e0c7c9a7a544d1c[0-9A-F]{32}$/);
    assert.equal((await portal.lastDocument()).login, true, 'the person was told that it looks like a login');
  });

  check('a bare signature of a document the person is shown, for which no right is needed', async () => {
    const value = await signed(async (bytes) => {
      const [id] = await plugin.enumerateCertificates(by.softhsm, plugin.CERT_CATEGORY_USER);
      const key = await plugin.getKeyByCertificate(by.softhsm, id);
      return plugin.rawSign(by.softhsm, key, bytes, { computeHash: true, hashAlgorithm: plugin.HASH_TYPE_SHA256 });
    }, Buffer.from(document).toString('hex'), PIN);
    const der = await readFile(path.join(portal.shop.dir, 'leaf.der'));
    assert.ok(verifyRaw('sha256', Buffer.from(document), new X509Certificate(der).publicKey, Buffer.from(value.replaceAll(':', ''), 'hex')));
  });

  check('a digest, and its bare signature with the right for it', async () => {
    await portal.agent.command('origins', 'allow', '--hidden', portal.site.origin);
    const text = Buffer.from(document);
    const digest = await page.evaluate((d) => plugin.digest(by.softhsm, plugin.HASH_TYPE_SHA256, d, {}), document);
    const value = await signed(async (data) => {
      const [id] = await plugin.enumerateCertificates(by.softhsm, plugin.CERT_CATEGORY_USER);
      const key = await plugin.getKeyByCertificate(by.softhsm, id);
      return plugin.rawSign(by.softhsm, key, data, { computeHash: false, hashAlgorithm: plugin.HASH_TYPE_SHA256 });
    }, digest, PIN);
    const der = await readFile(path.join(portal.shop.dir, 'leaf.der'));
    assert.ok(verifyRaw('sha256', text, new X509Certificate(der).publicKey, Buffer.from(value.replaceAll(':', ''), 'hex')));
  });

  check('errors are numbers with names', async () => {
    assert.equal(await refused(() => plugin.enumerateCertificates(77, plugin.CERT_CATEGORY_USER)), 'DEVICE_NOT_FOUND');
    assert.equal(await refused(() => plugin.parseCertificate(by.demo, '00:11')), 'CERTIFICATE_NOT_FOUND');
    assert.equal(await refused(() => plugin.enumerateKeys(by.demo, '')), 'USER_NOT_LOGGED_IN');
    assert.equal(await refused(() => plugin.generateKeyPair(by.demo)), 'UNSUPPORTED_BY_TOKEN');
    assert.equal(await refused(() => plugin.verify(by.demo, btoa(''), {})), 'ASN1_ERROR');
    const no = page.evaluate(sign, ['softhsm', 'rsaEncryption', document, {}]).then(() => 'answered', (e) => Number(/\d+/.exec(e.message)?.[0]));
    await portal.desktop.prompt();
    await portal.desktop.reject();
    assert.equal(await no, await page.evaluate(() => plugin.errorCodes.FUNCTION_REJECTED));
    await portal.desktop.dismiss();
  });

  check('the old interface of callbacks works too', async () => {
    const label = await page.evaluate(async () => {
      const old = await plugin.wrapWithOldInterface();
      return new Promise((resolve, reject) => old.getDeviceInfo(by.softhsm, old.TOKEN_INFO_LABEL, resolve, reject));
    });
    assert.equal(label, 'browser-test');
  });

  check('the real adapter keeps its place', async () => {
    const p = await portal.open('real.html');
    assert.equal(await p.evaluate(async () => (await rutoken.ready) && rutoken.isPluginInstalled()), 'real');
    await p.close();
  });

  check('a PIN the page gives stays in the page, and so does the one the person types', async () => {
    const canary = 'canary-7391';
    const gone = await page.evaluate(async (pin) => {
      const d = by.softhsm;
      const key = '00:11';
      const calls = {
        login: [d, pin], savePin: [d, pin], removePin: [d, pin], changePin: [d, pin, pin, {}], unblockUserPin: [d, pin, pin, true],
        formatToken: [d, { adminPin: pin, newUserPin: pin }], generateKeyPair: [d, undefined, '', { needPin: true, pin }], deleteKeyPair: [d, key, pin], derive: [d, key, pin, {}],
      };
      return Promise.all(Object.entries(calls).map(async ([name, args]) => [name, await plugin[name](...args).then(() => 'done', (e) => e.message)]));
    }, canary);
    assert.equal(gone.length, 9);
    const wire = await portal.wire();
    assert.ok(wire.length > 10_000 && wire.includes('sign.cms'), 'the wire was recorded');
    for (const pin of [canary, PIN, DEMO_PIN]) assert.equal(wire.includes(pin), false);
  });
}

for (const [kind, { name }] of Object.entries(browsers)) describe(name, () => flows(kind));
