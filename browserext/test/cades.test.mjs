// SPDX-License-Identifier: GPL-3.0-or-later
// A portal written for the CryptoPro plug-in, with npm crypto-pro as it is published: Chromium with the extension, a session, a
// SoftHSM key and the demonstration token's GOST keys, and a person who types the PIN. OpenSSL and xmlsec1 judge what comes back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, verify as verifyRaw, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before, describe } from 'node:test';
import { browsers } from './browsers.mjs';
import { EXTENSION } from './chromium.mjs';
import { pause, until } from './desktop.mjs';
import { root } from './load.mjs';
import { DEMO_PIN, PIN, skipIn, startPortal } from './portal.mjs';

const RSA_SHA256 = { signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', digestMethod: 'http://www.w3.org/2001/04/xmlenc#sha256' };
const [SHA256, STREEBOG256] = [4, 101];
const document = 'Прошу предоставить мне отпуск с 1 по 14 июня.';

const bytes = (signature) => {
  assert.match(signature, /^([A-Za-z0-9+/]{64}\r\n)*[A-Za-z0-9+/=]{1,64}\r\n$/, 'lines of 64 with Windows ends');
  return Buffer.from(signature, 'base64');
};

/** Verifies as portals do. */
const verify = ([message, type, content]) => (async () => {
  const s = await cadesplugin.CreateObjectAsync('CAdESCOM.CadesSignedData');
  await s.propset_ContentEncoding(cadesplugin.CADESCOM_BASE64_TO_BINARY);
  if (content !== undefined) await s.propset_Content(btoa(String.fromCharCode(...new TextEncoder().encode(content))));
  await s.VerifyCades(message, type, content !== undefined);
  const signer = await (await s.Signers).Item(1);
  const text = new TextDecoder().decode(Uint8Array.from(atob(await s.Content), (c) => c.charCodeAt(0)));
  return { text, time: await signer.SigningTime, name: await (await signer.Certificate).SubjectName, good: await (await signer.SignatureStatus).IsValid };
})().catch((e) => e.message);

/** A page of one function. */
const script = (f) => `<!doctype html><meta charset="utf-8"><title>Портал</title><script>(${f})()</script>`;

/** How the vendor's oldest scripts find the extension: by one address, replacing whatever is there. */
function old() {
  window.cadesplugin = new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.setAttribute('src', 'chrome-extension://iifchhfnnmpdbibifmljnfjhpififfog/nmcades_plugin_api.js');
    document.head.appendChild(element);
    addEventListener('message', ({ data }) => {
      if (data === 'cadesplugin_loaded') cpcsp_chrome_nmcades.check_chrome_plugin(resolve, reject);
    });
    addEventListener('load', () => postMessage('cadesplugin_echo_request', '*'));
  });
  Object.assign(window.cadesplugin, { JSModuleVersion: '2.0', set(o) { window.cadesplugin.CreateObjectAsync = (name) => o.CreateObjectAsync(name); } });
}

/** How the newest do: by one address after the other, or in Firefox by the address the extension tells, with callbacks of the page. */
function late() {
  window.called = [];
  window.cadesplugin_extension_loaded_callback = () => called.push('extension');
  window.cadesplugin_plugin_loaded_callback = () => called.push('plugin');
  window.cadesplugin = new Promise((resolve, reject) => {
    const load = ([address, ...others], then) => {
      const element = document.createElement('script');
      element.onload = then;
      element.onerror = () => (others.length > 0 ? load(others, then) : reject('no extension'));
      element.src = address;
      document.head.append(element);
    };
    const check = () => {
      cadesplugin_extension_loaded_callback();
      cpcsp_chrome_nmcades.check_chrome_plugin(() => resolve(cadesplugin_plugin_loaded_callback()), reject);
    };
    const echo = () => {
      addEventListener('message', ({ data }) => {
        if (typeof data !== 'string' || !data.startsWith('cadesplugin_loaded')) return;
        if (data.includes('url:')) load([data.slice(data.indexOf('url:') + 4)], check);
        else check();
      }, { once: false });
      postMessage('cadesplugin_echo_request', '*');
    };
    if (/firefox/i.test(navigator.userAgent)) echo();
    else load(['iifchhfnnmpdbibifmljnfjhpififfog', 'pfhgbfnnjiafkhfdkmpiflachepdcjod'].map((id) => `chrome-extension://${id}/nmcades_plugin_api.js`), echo);
  });
  Object.assign(window.cadesplugin, { JSModuleVersion: '2.4.5', LOG_LEVEL_DEBUG: 4, set(o) { window.cadesplugin.CreateObjectAsync = (name) => o.CreateObjectAsync(name); } });
}

/** The ways the vendor's own extension is noticed. */
const vendors = {
  announced: () => addEventListener('load', () => postMessage('cadesplugin_loaded', '*')),
  answering: () => addEventListener('message', ({ data }) => data === 'cadesplugin_echo_request' && postMessage('cadesplugin_loaded', '*')),
  newer: () => addEventListener('message', ({ data }) => data === 'cadesplugin_echo_request_pfhgbfnnjiafkhfdkmpiflachepdcjod' && postMessage('cadesplugin_loaded', '*')),
  loaded: () => { window.cpcsp_chrome_nmcades = { check_chrome_plugin: (ok, failed) => failed('theirs') }; },
};

const pages = {
  'crypto-pro.js': await readFile(path.join(root, 'node_modules/crypto-pro/dist/crypto-pro.js'), 'utf8'),
  'portal.html': '<!doctype html><meta charset="utf-8"><title>Портал</title><script src="crypto-pro.js"></script>',
  'absent.html': '<!doctype html><title>Без скрипта</title><script src="nowhere/cadesplugin_api.js"></script><script>window.seen = typeof cadesplugin</script>',
  'old.html': script(old), 'new.html': script(late),
  ...Object.fromEntries(Object.entries(vendors).map(([name, f]) => [`vendor-${name}.html`, `${script(f)}<script src="crypto-pro.js"></script>`])),
};

/** The most memory a process has had, in KiB. */
const memory = (pid) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

/** The flows of portals, in a browser of a kind. */
function flows(kind) {
  const skip = skipIn(kind);
  const check = (name, f) => test(name, { skip, timeout: 180_000 }, f);
  let portal, page, keys;

  before(async () => {
    if (skip) return;
    portal = await startPortal(kind, 'cades', pages, { args: kind === 'chromium' ? ['--enable-precise-memory-info'] : [] });
    page = portal.page = await portal.open('portal.html');
    const list = await page.evaluate(async () => Promise.all((await cryptoPro.getUserCertificates()).map(async (c) => ({ name: c.name, thumbprint: c.thumbprint, ...(await c.getAlgorithm()) }))));
    const find = (f) => ({ ...list.find(f) });
    keys = {
      rsa: { ...find((c) => c.name === 'Демонстрационный Подписант'), pin: PIN, hash: SHA256 },
      gost: { ...find((c) => c.oid === '1.2.643.7.1.1.1.1'), pin: DEMO_PIN, hash: STREEBOG256 },
    };
  });

  after(() => portal?.end());

  const signed = (f, arg, pin, shot) => portal.signed(f, arg, pin, `cades-${kind}-${shot}`);

  const openssl = (signature, content) => portal.agent.opensslGost(signature, content);

  check('the client finds the plug-in, its version and the certificates', async () => {
    const found = await page.evaluate(async () => {
      const [c] = (await cryptoPro.getUserCertificates()).filter((x) => x.name === 'Демонстрационный Подписант');
      return {
        valid: await cryptoPro.isValidSystemSetup(), system: await cryptoPro.getSystemInfo(), count: (await cryptoPro.getUserCertificates()).length,
        owner: await c.getOwnerInfo(), issuer: await c.getIssuerInfo(), algorithm: await c.getAlgorithm(), good: await c.isValid(), base64: await c.exportBase64(),
        usages: await c.getExtendedKeyUsage(), from: c.validFrom, thumbprint: c.thumbprint,
      };
    });
    assert.equal(found.valid, true);
    assert.match(found.system.cadesVersion, /^2\.0\.15\d{3}$/);
    assert.match(found.system.cspVersion, /^5\.0\./);
    assert.equal(found.count, 5, 'one on the token and four on the demonstration token');
    assert.deepEqual(found.owner.map((x) => x.description), ['Демонстрационная организация', 'Демонстрационный Подписант']);
    assert.deepEqual(found.issuer.map((x) => x.description), ['Persten test CA']);
    assert.deepEqual(found.algorithm, { algorithm: 'RSA', oid: '1.2.840.113549.1.1.1' });
    assert.equal(found.good, true);
    const der = await readFile(path.join(portal.shop.dir, 'leaf.der'));
    assert.equal(found.base64.replace(/\s/g, ''), der.toString('base64'));
    assert.match(found.thumbprint, /^[0-9A-F]{40}$/);
    assert.match(found.from, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
    assert.equal(keys.gost.algorithm, 'ГОСТ Р 34.10-2012 256 бит');
  });

  check('readers and containers are the tokens and their keys', async () => {
    const found = await page.evaluate(async () => {
      const csp = await cadesplugin.CreateObjectAsync('X509Enrollment.CCspInformation');
      await csp.InitializeFromName('Crypto-Pro GOST R 34.10-2012 Cryptographic Service Provider');
      const all = async (list, read) => Promise.all(Array.from({ length: await list.Count }, async (_, i) => read(await list.ItemByIndex(i))));
      const readers = await all(await csp.GetReaderModes(), async (r) => [await r.Name, await r.Media, await r.CarrierFlags]);
      const containers = await all(await csp.EnumContainers(), async (c) => {
        const key = await (await c.Keys).ItemByIndex(0);
        return { reader: await c.Reader, name: await c.Name, has: await key.HasCertificate, exportable: await key.IsExportable, until: await key.ExpirationTime, thumbprint: await (await key.Certificate).Thumbprint };
      });
      return { readers, containers, wrong: await (await csp.EnumContainers()).ItemByIndex(99).catch((e) => e.message) };
    });
    assert.ok(found.readers.some(([name]) => name === 'browser-test') && found.readers.length === 2, JSON.stringify(found.readers));
    assert.equal(found.containers.length, 5);
    const { thumbprint } = keys.rsa;
    const mine = found.containers.find((c) => c.thumbprint === thumbprint);
    assert.deepEqual([mine.reader, mine.has, mine.exportable], ['browser-test', true, false]);
    assert.match(mine.until, /^\d{4}-\d\d-\d\dT/);
    assert.match(found.wrong, /\(0x80070057\)$/);
  });

  for (const kind of ['rsa', 'gost']) {
    check(`${kind}: an attached signature, which OpenSSL accepts`, async () => {
      const { thumbprint, pin } = keys[kind];
      const signature = await signed(([t, d]) => cryptoPro.createAttachedSignature(t, d), [thumbprint, document], pin, `${kind}-attached`);
      assert.equal(String(await openssl(bytes(signature))), document);
    });

    check(`${kind}: a detached signature by a digest the page had made here, of a document the person can see`, async () => {
      const { thumbprint, pin, hash } = keys[kind];
      const digest = await page.evaluate(([d, a]) => cryptoPro.createHash(d, { hashedAlgorithm: a }), [document, hash]);
      assert.match(digest, /^[0-9A-F]{64}$/);
      const make = ([t, h, a]) => cryptoPro.createDetachedSignature(t, h, { hashedAlgorithm: a });
      const signature = bytes(await signed(make, [thumbprint, digest, hash], pin, `${kind}-detached`));
      await openssl(signature, document);
      await assert.rejects(openssl(signature, `${document}!`));
      assert.equal((await portal.lastDocument()).size, Buffer.byteLength(document), 'the document, and not a digest of something');
    });
  }

  check('XML, which xmlsec1 accepts', async () => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<заявление>${document}</заявление>`;
    const { thumbprint, pin } = keys.rsa;
    const result = await signed(([t, x, o]) => cryptoPro.createXMLSignature(t, x, o), [thumbprint, xml, RSA_SHA256], pin, 'xml');
    assert.ok(result.startsWith(xml.slice(0, -'</заявление>'.length)), 'nothing but the signature was added');
    await portal.agent.xmlsecVerify(result);
    await assert.rejects(portal.agent.xmlsecVerify(result.replace('14 июня', '24 июня')));
    const wrong = await page.evaluate(([t, x]) => cryptoPro.createXMLSignature(t, x).catch((e) => e.message), [thumbprint, xml]);
    assert.match(wrong, /не подходит/, 'a GOST method does not fit an RSA key; nobody was asked');
  });

  check('XML with GOST, which verifies', async () => {
    const { thumbprint, pin } = keys.gost;
    const result = await signed(([t, x]) => cryptoPro.createXMLSignature(t, x), [thumbprint, `<a>${document}</a>`], pin, 'xml-gost');
    assert.match(result, /gostr34102012-gostr34112012-256"/);
    const judged = (xml) => page.evaluate(async (x) => {
      const s = await cadesplugin.CreateObjectAsync('CAdESCOM.SignedXML');
      return s.Verify(x).then(async () => (await (await (await s.Signers).Item(1)).Certificate).Thumbprint, (e) => e.message);
    }, xml);
    assert.equal(await judged(result), thumbprint);
    assert.match(await judged(result.replace('14 июня', '24 июня')), /\(0x80090006\)$|\(0x80091007\)$/);
  });

  check('verification: a good signature, another document, another type, no signature', async () => {
    const { thumbprint, pin } = keys.rsa;
    const attached = await signed(([t, d]) => cryptoPro.createAttachedSignature(t, d), [thumbprint, document], pin, 'verify');
    const found = await page.evaluate(verify, [attached, 1]);
    assert.equal(found.text, document, JSON.stringify(found));
    assert.equal(found.good, true);
    assert.equal(found.name, 'O=Демонстрационная организация, CN=Демонстрационный Подписант');
    assert.ok(Math.abs(Date.parse(found.time) - Date.now()) < 120_000);
    assert.match(await page.evaluate(verify, [attached, 5]), /\(0x8009100F\)$/, 'no time-stamp in it');
    assert.match(await page.evaluate(verify, [btoa('nothing'), 1]), /\(0x8009100E\)$/);
    const digest = await page.evaluate(([d, a]) => cryptoPro.createHash(d, { hashedAlgorithm: a }), [document, SHA256]);
    const detached = await signed(([t, h, a]) => cryptoPro.createDetachedSignature(t, h, { hashedAlgorithm: a }), [thumbprint, digest, SHA256], pin, 'verify-detached');
    assert.equal((await page.evaluate(verify, [detached, 1, document])).good, true);
    assert.match(await page.evaluate(verify, [detached, 1, `${document}!`]), /\(0x80091007\)$|\(0x80090006\)$/);
  });

  check('two signers on one document', async () => {
    const both = await signed(async ([one, text]) => {
      const find = async (t) => {
        const store = await cadesplugin.CreateObjectAsync('CAPICOM.Store');
        store.Open(); // not waited for: calls take effect in their order
        const found = await (await store.Certificates).Find(0, t);
        return found.Item(1);
      };
      const signer = await cadesplugin.CreateObjectAsync('CAdESCOM.CPSigner');
      signer.propset_Certificate(await find(one));
      const data = await cadesplugin.CreateObjectAsync('CAdESCOM.CadesSignedData');
      data.propset_ContentEncoding(1);
      data.propset_Content(btoa(unescape(encodeURIComponent(text))));
      window.first = { data, find, signature: await data.SignCades(signer, 1, false) };
      return window.first.signature;
    }, [keys.rsa.thumbprint, document], PIN, 'first');
    assert.equal(String(await openssl(bytes(both))), document);
    const second = await signed(async (other) => {
      const { data, find } = window.first;
      const signer = await cadesplugin.CreateObjectAsync('CAdESCOM.CPSigner');
      await signer.propset_Certificate(await find(other));
      return data.CoSignCades(signer, 1);
    }, keys.gost.thumbprint, DEMO_PIN, 'second');
    assert.equal(String(await openssl(bytes(second))), document);
    const count = await page.evaluate(async (m) => {
      const s = await cadesplugin.CreateObjectAsync('CAdESCOM.CadesSignedData');
      await s.VerifyCades(m, 1).catch(() => undefined);
      return (await s.Signers).Count;
    }, second);
    assert.equal(count, 2);
  });

  check('128 MiB hashed in pieces, more than any message of the browser holds, in flat memory, and signed as what they are', async (t) => {
    const { thumbprint, pin } = keys.rsa;
    const PIECES = 32;
    const session = () => memory(portal.agent.session.pid);
    const hash = ([pieces, algorithm]) => (async () => {
      window.hashed ??= await cadesplugin.CreateObjectAsync('CAdESCOM.HashedData');
      await hashed.propset_Algorithm(algorithm);
      await hashed.propset_DataEncoding(1);
      const piece = btoa('Persten\n'.repeat((4 << 20) / 8));
      let most = 0;
      for (let i = 0; i < pieces; i++) {
        await hashed.Hash(piece);
        most = Math.max(most, performance.memory?.usedJSHeapSize ?? 0);
      }
      return { digest: await hashed.Value, most };
    })();
    const small = await page.evaluate(hash, [PIECES / 4, SHA256]);
    const before = session();
    const { digest, most } = await page.evaluate(hash, [PIECES, SHA256]);
    const grown = { page: (most - small.most) >> 20, session: (session() - before) >> 10 };
    t.diagnostic(`MiB more for four times as much: ${JSON.stringify(grown)}`);
    assert.ok(grown.page < 32 && grown.session < 32);
    const make = ([t, h, a]) => cryptoPro.createDetachedSignature(t, h, { hashedAlgorithm: a });
    const signature = await signed(make, [thumbprint, digest, SHA256], pin, 'large');
    await openssl(bytes(signature), Buffer.alloc(PIECES * (4 << 20), 'Persten\n'));
  });

  check('a ready digest needs a right of its own, and then is signed as what nobody can see', async () => {
    const { thumbprint, pin } = keys.gost;
    const digest = 'AB'.repeat(32);
    const made = page.evaluate(([t, h]) => cryptoPro.createDetachedSignature(t, h), [thumbprint, digest]);
    made.catch(() => undefined);
    await portal.desktop.prompt();
    await portal.desktop.shot('cades-hidden-right');
    const asked = async () => (await portal.desktop.titles()).some((t) => /Подписать/.test(t));
    await portal.desktop.agree(asked);
    await until(asked, 'the question about the signature');
    await portal.desktop.prompt();
    await portal.desktop.shot('cades-hidden');
    await portal.desktop.insist(pin);
    const signature = bytes(await made);
    await portal.desktop.dismiss();
    assert.equal((await portal.lastDocument()).size, 0);
    assert.match(String(execFileSync('openssl', ['asn1parse', '-inform', 'DER'], { input: signature })), new RegExp(digest), 'the digest is what was signed');
  });

  check('a second signature by a digest, and both checked by digests alone', async () => {
    const text = 'Согласие на обработку';
    const digest = await page.evaluate((d) => cryptoPro.createHash(d), text);
    const [first, second] = [keys.gost, keys.rsa];
    const sha256 = createHash('sha256').update(text).digest('hex').toUpperCase();
    const one = await signed(([t, h]) => cryptoPro.createDetachedSignature(t, h), [first.thumbprint, digest], first.pin, 'by-digest');
    const signers = ([t, cms, h, a]) => cryptoPro.execute(async ({ cadesplugin }) => {
      const hashed = await cadesplugin.CreateObjectAsync('CAdESCOM.HashedData');
      await hashed.propset_Algorithm(a);
      await hashed.SetHashValue(h);
      const data = await cadesplugin.CreateObjectAsync('CAdESCOM.CadesSignedData');
      const bad = await data.VerifyHash(hashed, cms, 1).then(() => '', (e) => e.message);
      if (!t) return { bad, valid: await Promise.all([1, 2].map(async (i) => (await (await (await data.Signers).Item(i)).SignatureStatus).IsValid)) };
      const store = await cadesplugin.CreateObjectAsync('CAdESCOM.Store');
      await store.Open();
      const signer = await cadesplugin.CreateObjectAsync('CAdESCOM.CPSigner');
      await signer.propset_Certificate(await (await (await store.Certificates).Find(0, t)).Item(1));
      return data.CoSignHash(hashed, signer, 1);
    });
    const both = await signed(signers, [second.thumbprint, one, sha256, SHA256], second.pin, 'both-by-digest');
    await openssl(bytes(both), text);
    const other = await portal.open('portal.html'); // which never had the document
    for (const [h, a] of [[sha256, SHA256], [digest, STREEBOG256]]) {
      const { bad, valid } = await other.evaluate(signers, ['', both, h, a]);
      assert.equal(valid.filter(Boolean).length, 1, 'whom the digest does not reach is not valid');
      assert.match(bad, /\(0x[0-9A-F]{8}\)$/);
    }
    await other.close();
  });

  check('a login is a short word of the site, and is called so', async () => {
    const { thumbprint, pin } = keys.gost;
    const word = '5e0c7c9a-7a54-4d1c-9e57-2f1f0a9f8b3d';
    const signature = await signed(([t, d]) => cryptoPro.createAttachedSignature(t, d), [thumbprint, word], pin, 'login');
    assert.equal(String(await openssl(bytes(signature))), word);
    assert.equal((await portal.lastDocument()).login, true, 'the person was told that it looks like a login');
  });

  check('a bare signature value, the last byte first', async () => {
    const { thumbprint, pin } = keys.rsa;
    const value = await signed(async ([t, text, algorithm]) => {
      const hashed = await cadesplugin.CreateObjectAsync('CAdESCOM.HashedData');
      await hashed.propset_Algorithm(algorithm);
      await hashed.propset_DataEncoding(1);
      await hashed.Hash(btoa(unescape(encodeURIComponent(text))));
      const store = await cadesplugin.CreateObjectAsync('CAdESCOM.Store');
      await store.Open();
      const raw = await cadesplugin.CreateObjectAsync('CAdESCOM.RawSignature');
      return raw.SignHash(hashed, await (await (await store.Certificates).Find(0, t)).Item(1));
    }, [thumbprint, document, SHA256], pin, 'raw');
    assert.match(value, /^[0-9A-F]{512}$/);
    const { size, login } = await portal.lastDocument();
    assert.deepEqual([size, login], [Buffer.byteLength(document), undefined], 'the person had the document');
    const der = await readFile(path.join(portal.shop.dir, 'leaf.der'));
    assert.ok(verifyRaw('sha256', Buffer.from(document), new X509Certificate(der).publicKey, Buffer.from(value, 'hex').reverse()));
  });

  check('the person says no: the page hears so in words and a number, and nothing was signed', async () => {
    const made = page.evaluate(([t, d]) => cryptoPro.execute(async ({ cadesplugin }) => {
      const store = await cadesplugin.CreateObjectAsync('CAdESCOM.Store');
      await store.Open();
      const signer = await cadesplugin.CreateObjectAsync('CAdESCOM.CPSigner');
      await signer.propset_Certificate(await (await (await store.Certificates).Find(0, t)).Item(1));
      await signer.propset_KeyPin('00000000');
      const data = await cadesplugin.CreateObjectAsync('CAdESCOM.CadesSignedData');
      await data.propset_Content(d);
      return data.SignCades(signer, 1).catch((e) => cadesplugin.getLastError(e));
    }), [keys.rsa.thumbprint, document]);
    await portal.desktop.prompt();
    await portal.desktop.reject();
    assert.match(await made, /^[А-Я].*не создана.*\(0x8010006E\)$/);
    await portal.desktop.dismiss();
  });

  check('a PIN the page gives stays in the page, and so does the one the person types', async () => {
    const canary = 'canary-7391';
    await page.evaluate(async ([t, pin]) => {
      const store = await cadesplugin.CreateObjectAsync('CAdESCOM.Store');
      await store.Open();
      const certificate = await (await (await store.Certificates).Find(0, t)).Item(1);
      const key = await certificate.PrivateKey;
      const signer = await cadesplugin.CreateObjectAsync('CAdESCOM.CPSigner');
      const request = await cadesplugin.CreateObjectAsync('X509Enrollment.CX509PrivateKey');
      const enrollment = await cadesplugin.CreateObjectAsync('X509Enrollment.CX509Enrollment');
      await signer.propset_Certificate(certificate);
      const calls = [
        signer.propset_KeyPin(pin), key.propset_KeyPin(pin), key.propset_CachePin(pin), key.ChangePin(pin), request.propset_Pin(pin),
        enrollment.InstallResponse(4, 'AAAA', 1, pin), store.ImportPFX(btoa('pfx'), pin, 0), certificate.IsValid(),
      ];
      await Promise.allSettled(calls);
    }, [keys.rsa.thumbprint, canary]);
    const wire = await portal.wire();
    assert.ok(wire.includes('sign.cms') && wire.includes('certificates.check'), 'the wire was recorded');
    for (const pin of [canary, PIN, DEMO_PIN]) assert.equal(wire.includes(pin), false);
  });

  check('a page whose script cannot be loaded finds the object all the same', async () => {
    const p = await portal.open('absent.html');
    assert.equal(await p.evaluate(() => window.seen), 'object');
    assert.deepEqual(await p.evaluate(async () => [cadesplugin instanceof Promise, await cadesplugin.then(async () => (await (await cadesplugin.CreateObjectAsync('CAdESCOM.About')).Version))]), [true, '2.0.15500']);
    await p.close();
  });

  for (const name of ['old', 'new']) {
    if (kind === 'firefox' && name === 'old') continue; // it knows Chromium's address alone
    check(`the ${name}est scripts find it`, async () => {
      const p = await portal.open(`${name}.html`);
      const found = await p.evaluate(async () => {
        await cadesplugin;
        return [await (await cadesplugin.CreateObjectAsync('CAdESCOM.About')).Version, window.called];
      });
      assert.deepEqual(found, ['2.0.15500', name === 'new' ? ['extension', 'plugin'] : null].map((v) => v ?? undefined));
      await p.close();
    });
  }

  for (const name of Object.keys(vendors)) {
    check(`the vendor's own extension is there (${name}): the face leaves the page to it`, async () => {
      const p = await portal.open(`vendor-${name}.html`);
      const found = await p.evaluate(() => {
        window.cadesplugin_load_timeout = 3000;
        const ours = () => Object.keys(window.cpcsp_chrome_nmcades ?? {}).includes('CreatePluginObject');
        return cryptoPro.getSystemInfo().then(() => 'answered', () => (ours() ? 'ours' : 'theirs'));
      });
      assert.equal(found, 'theirs');
      await p.close();
    });
  }

  if (kind === 'chromium') popup();

  /** What the popup does, whose page Chromium lets a test open. */
  function popup() {
    /** The faces the browser puts into pages. */
    const registered = () => portal.browser.serviceWorkers()[0].evaluate(async () => (await chrome.scripting.getRegisteredContentScripts()).map((s) => s.id));

    async function turnOff() {
      await portal.browser.serviceWorkers()[0].evaluate(() => chrome.storage.local.set({ faces: {} }));
      await until(async () => (await registered()).length === 0, 'the face to be gone');
    }

    check('off again: nothing of it is in the page', async () => {
      await turnOff();
      const p = await portal.open('portal.html');
      assert.equal(await p.evaluate(() => 'cpcsp_chrome_nmcades' in window || Object.hasOwn(HTMLScriptElement.prototype, 'setAttribute')), false);
      await p.close();
    });

    check('the popup turns it on for the site of its tab, and off', async () => {
      await turnOff();
      const site = await portal.open('portal.html');
      const tab = await portal.browser.serviceWorkers()[0].evaluate(async () => (await chrome.tabs.query({ active: true })).at(-1).id);
      const popup = await portal.browser.newPage();
      // Opened as a page of its own the popup would ask about itself.
      await popup.addInitScript((id) => Object.assign(chrome.tabs, { query: async () => [{ id }] }), tab);
      await popup.goto(`chrome-extension://${EXTENSION}/status/status.html`);
      await popup.waitForSelector('#faces:not([hidden])');
      assert.equal(await popup.isChecked('#faceCades'), false);
      await popup.click('#faceCades');
      await popup.waitForSelector('#reload:not([hidden])');
      if (process.env.SHOTS) await popup.screenshot({ path: `${process.env.SHOTS}/popup-faces.png` });
      await until(async () => (await registered()).includes('cades'), 'the face to be there');
      await Promise.all([site.waitForEvent('load'), popup.click('#reload')]);
      assert.equal(await site.evaluate(() => 'cpcsp_chrome_nmcades' in window), true);
      await popup.click('#faceCades');
      await until(async () => (await registered()).length === 0, 'the face to be gone');
      await popup.close();
      await site.close();
    });
  }
}

for (const [kind, { name }] of Object.entries(browsers)) describe(name, () => flows(kind));
