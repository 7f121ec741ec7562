// SPDX-License-Identifier: GPL-3.0-or-later
//
// Checks XML signatures with the npm package xml-crypto, as a verifier that shares no code with this project.
//
//   node verify.mjs FILE [CERT.pem]    exit 0: every signature in FILE is valid, 1: not, 2: xml-crypto cannot check it
//   node verify.mjs --batch            one {"file": ..., "cert": ...} per line of standard input, answers in the same order:
//                                      {"file": ..., "signatures": 1, "result": "valid|invalid|unsupported", "reason": "..."}
//
// Without a certificate the first one in KeyInfo counts. xml-crypto knows RSA with SHA-1, SHA-256 and SHA-512; the rest of
// RSA, RSA-PSS and ECDSA is added here from node's crypto. It has no GOST, C14N 1.1, XPath, base64 or SMEV transform, and
// reads URI="" as the root element, so comments aside it misses processing instructions outside of it.
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../browserext/package.json", import.meta.url));
const { SignedXml } = require("xml-crypto");
const { DOMParser } = createRequire(require.resolve("xml-crypto"))("@xmldom/xmldom");

const DSIG = "http://www.w3.org/2000/09/xmldsig#";
const MORE = "http://www.w3.org/2001/04/xmldsig-more#";
const MORE2007 = "http://www.w3.org/2007/05/xmldsig-more#";
const PSS = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST };
const ECDSA = { dsaEncoding: "ieee-p1363" };

const digests = {
  [MORE + "sha224"]: "sha224",
  [MORE + "sha384"]: "sha384",
};

const algorithms = {
  [MORE + "rsa-sha384"]: ["sha384", "rsa", {}],
  [MORE2007 + "sha256-rsa-MGF1"]: ["sha256", "rsa", PSS],
  [MORE2007 + "sha384-rsa-MGF1"]: ["sha384", "rsa", PSS],
  [MORE2007 + "sha512-rsa-MGF1"]: ["sha512", "rsa", PSS],
  [MORE + "ecdsa-sha256"]: ["sha256", "ec", ECDSA],
  [MORE + "ecdsa-sha384"]: ["sha384", "ec", ECDSA],
  [MORE + "ecdsa-sha512"]: ["sha512", "ec", ECDSA],
};

function hashAlgorithm(uri, name) {
  return class {
    getAlgorithmName = () => uri;
    getHash = (xml) => crypto.createHash(name).update(xml, "utf8").digest("base64");
  };
}

function signatureAlgorithm(uri, [hash, type, options]) {
  return class {
    getAlgorithmName = () => uri;
    verifySignature = (material, pem, value) => {
      const key = crypto.createPublicKey(pem);
      if (key.asymmetricKeyType !== type) throw new Error(`${uri} with a key of type ${key.asymmetricKeyType}`);
      return crypto.verify(hash, Buffer.from(material, "utf8"), { key, ...options }, Buffer.from(value, "base64"));
    };
  };
}

function verifier(cert) {
  const sig = new SignedXml({ publicCert: cert, getCertFromKeyInfo: cert ? () => null : SignedXml.getCertFromKeyInfo });
  for (const [uri, name] of Object.entries(digests)) sig.HashAlgorithms[uri] = hashAlgorithm(uri, name);
  for (const [uri, how] of Object.entries(algorithms)) sig.SignatureAlgorithms[uri] = signatureAlgorithm(uri, how);
  return sig;
}

// check throws for the first signature that is not valid and returns how many there are.
function check(xml, cert) {
  const strict = { warning() {}, error(m) { throw new Error(m); }, fatalError(m) { throw new Error(m); } };
  const signatures = Array.from(new DOMParser({ errorHandler: strict }).parseFromString(xml).getElementsByTagNameNS(DSIG, "Signature"));
  if (signatures.length === 0) throw new Error("no signature");
  for (const node of signatures) {
    const sig = verifier(cert);
    sig.loadSignature(node);
    if (!sig.checkSignature(xml)) {
      throw sig.references.find((r) => r.validationError)?.validationError ?? new Error("not valid");
    }
  }
  return signatures.length;
}

function answer(file, cert) {
  try {
    const signatures = check(readFileSync(file, "utf8"), cert && readFileSync(cert, "utf8"));
    return { file, signatures, result: "valid", reason: "" };
  } catch (e) {
    const unsupported = /^(signature|hash|canonicalization) algorithm '.*' is not supported$/.test(e.message);
    return { file, signatures: 0, result: unsupported ? "unsupported" : "invalid", reason: e.message };
  }
}

const [file, cert, ...rest] = process.argv.slice(2);
if (file === "--batch" && !cert) {
  for await (const line of createInterface({ input: process.stdin })) {
    const pair = JSON.parse(line);
    console.log(JSON.stringify(answer(pair.file, pair.cert)));
  }
} else if (file && rest.length === 0) {
  const a = answer(file, cert);
  console.log(a.result, a.reason);
  process.exitCode = { valid: 0, invalid: 1, unsupported: 2 }[a.result];
} else {
  console.error("usage: node verify.mjs FILE [CERT.pem] | --batch");
  process.exitCode = 2;
}
