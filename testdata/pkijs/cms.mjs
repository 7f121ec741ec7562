// SPDX-License-Identifier: GPL-3.0-or-later
//
// Makes and checks CMS signatures with the npm package pkijs, which shares no code with this project. RSA, RSA-PSS and ECDSA.
//
//   npm ci                                   once, in this folder
//   node cms.mjs verify SIG CONTENT ROOT     checks every signer of SIG (DER), its message digest, its certificate up to ROOT (PEM)
//                                            and the imprint of its time-stamps; CONTENT is "" when it is attached
//   node cms.mjs sign OUT CONTENT CERT KEY HASH pkcs1|pss|ecdsa attached|detached
//                                            CERT and KEY (PKCS#8) are PEM, HASH is SHA-256 or SHA-384
//
// Exit code 0: done, or valid. 1: not valid, with the reason on standard error.
import { createHash, webcrypto } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as asn1js from "asn1js";
import * as pkijs from "pkijs";

pkijs.setEngine("node", new pkijs.CryptoEngine({ name: "node", crypto: webcrypto }));

const OID = {
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  timeStamp: "1.2.840.113549.1.9.16.2.14",
  data: "1.2.840.113549.1.7.1",
};
const HASHES = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

const bytes = (path) => new Uint8Array(readFileSync(path));

function der(path) {
  const text = readFileSync(path, "latin1").replace(/-----[^-]+-----/g, "").replace(/\s/g, "");
  return new Uint8Array(Buffer.from(text, "base64"));
}

const certificate = (path) => pkijs.Certificate.fromBER(der(path));

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

// stamps checks that the time-stamps of a signer are over its signature value.
async function stamps(signer) {
  for (const a of signer.unsignedAttrs?.attributes ?? []) {
    if (a.type !== OID.timeStamp) continue;
    const token = new pkijs.SignedData({ schema: new pkijs.ContentInfo({ schema: a.values[0] }).content });
    const info = pkijs.TSTInfo.fromBER(token.encapContentInfo.eContent.getValue());
    const hash = HASHES[info.messageImprint.hashAlgorithm.algorithmId];
    const want = createHash(hash).update(new Uint8Array(signer.signature.valueBlock.valueHexView)).digest();
    if (!want.equals(Buffer.from(info.messageImprint.hashedMessage.valueBlock.valueHexView))) fail("time-stamp of another signature");
    // Of a token pkijs wants what was stamped, and compares the imprint once more.
    const value = new Uint8Array(signer.signature.valueBlock.valueHexView).slice().buffer;
    const ok = await token.verify({ signer: 0, checkChain: false, extendedMode: true, data: value });
    if (!ok.signatureVerified) fail("the time-stamp's signature does not match");
  }
}

async function verify(sig, content, root) {
  const info = pkijs.ContentInfo.fromBER(bytes(sig));
  const signed = new pkijs.SignedData({ schema: info.content });
  const data = content === "" ? undefined : bytes(content).buffer;
  if (signed.signerInfos.length === 0) fail("no signer");
  for (let i = 0; i < signed.signerInfos.length; i++) {
    const r = await signed.verify({ signer: i, data, checkChain: true, trustedCerts: [certificate(root)], extendedMode: true });
    if (!r.signatureVerified || !r.signerCertificateVerified) fail(`signer ${i}: ${r.message ?? JSON.stringify(r)}`);
    await stamps(signed.signerInfos[i]);
  }
}

const algorithms = {
  pkcs1: (hash) => ({ name: "RSASSA-PKCS1-v1_5", hash }),
  pss: (hash) => ({ name: "RSA-PSS", hash }),
  ecdsa: (hash) => ({ name: "ECDSA", hash, namedCurve: hash === "SHA-384" ? "P-384" : "P-256" }),
};

const attribute = (type, value) => new pkijs.Attribute({ type, values: [value] });
const octets = (b) => new asn1js.OctetString({ valueHex: b });

// reference is SigningCertificateV2 with the certificate's digest, SHA-256 being the default.
function reference(cert) {
  const digest = createHash("sha256").update(new Uint8Array(cert.toSchema().toBER(false))).digest();
  const id = new asn1js.Sequence({ value: [octets(digest)] });
  return new asn1js.Sequence({ value: [new asn1js.Sequence({ value: [id] })] });
}

async function sign(out, content, certPath, keyPath, hash, kind, where) {
  const cert = certificate(certPath);
  const key = await webcrypto.subtle.importKey("pkcs8", der(keyPath), algorithms[kind](hash), false, ["sign"]);
  const data = bytes(content);
  const digest = await webcrypto.subtle.digest(hash, data);
  const signer = new pkijs.SignerInfo({
    version: 1,
    sid: new pkijs.IssuerAndSerialNumber({ issuer: cert.issuer, serialNumber: cert.serialNumber }),
    signedAttrs: new pkijs.SignedAndUnsignedAttributes({
      type: 0,
      attributes: [
        attribute(OID.contentType, new asn1js.ObjectIdentifier({ value: OID.data })),
        attribute(OID.signingTime, new asn1js.UTCTime({ valueDate: new Date() })),
        attribute(OID.messageDigest, octets(digest)),
        attribute(OID.signingCertificateV2, reference(cert)),
      ],
    }),
  });
  const encap = new pkijs.EncapsulatedContentInfo({ eContentType: OID.data });
  if (where === "attached") encap.eContent = octets(data.buffer);
  const signed = new pkijs.SignedData({ version: 1, encapContentInfo: encap, signerInfos: [signer], certificates: [cert] });
  await signed.sign(key, 0, hash, data.buffer);
  const info = new pkijs.ContentInfo({ contentType: pkijs.ContentInfo.SIGNED_DATA, content: signed.toSchema(true) });
  writeFileSync(out, new Uint8Array(info.toSchema().toBER(false)));
}

const [command, ...rest] = process.argv.slice(2);
try {
  await { verify, sign }[command](...rest);
} catch (e) {
  fail(e.message || JSON.stringify(e));
}
