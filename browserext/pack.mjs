// SPDX-License-Identifier: GPL-3.0-or-later
// Packs the built extensions: for the browsers' shops, and for a server of one's own.
//
//   node pack.mjs [--out DIR]                         persten-{chrome,firefox}-VERSION.zip, in ../bin unless told otherwise
//   node pack.mjs [--out DIR] --url BASE              and persten-VERSION.xpi, updates.json
//   node pack.mjs [--out DIR] --url BASE --key FILE   and persten-VERSION.crx, update.xml
//
// The bytes depend on the files and the key alone, so that anybody can build a package again and compare.
import { createHash, createPrivateKey } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32, deflateRawSync } from 'node:zlib';
import { crx3, idOf, publicKeyOf } from './crx.mjs';

const VERSION = 20;
const UTF8 = 0x800;
const DEFLATE = 8;
const DAY = 0x21; // 1 January 1980, the first day a zip can name

/** The files of a folder as a zip, sorted by name. instead has other content for some of them. */
export async function pack(dir, instead = {}) {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  const names = found.filter((f) => f.isFile()).map((f) => path.relative(dir, path.join(f.parentPath, f.name)).replaceAll(path.sep, '/')).sort();
  const [files, directory] = [[], []];
  let at = 0;
  for (const name of names) {
    const content = instead[name] ?? await readFile(path.join(dir, name));
    const packed = deflateRawSync(content, { level: 9 });
    const about = described(name, content, packed);
    const local = Buffer.concat([number(4, 0x04034b50), about, Buffer.from(name), packed]);
    directory.push(Buffer.concat([number(4, 0x02014b50), number(2, VERSION), about, Buffer.alloc(10), number(4, at), Buffer.from(name)]));
    files.push(local);
    at += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = [number(4, 0x06054b50), Buffer.alloc(4), number(2, names.length), number(2, names.length), number(4, entries.length), number(4, at), Buffer.alloc(2)];
  return Buffer.concat([...files, entries, ...end]);
}

/** What a zip says of a file, the same in both places it says so. */
function described(name, content, packed) {
  return Buffer.concat([
    number(2, VERSION), number(2, UTF8), number(2, DEFLATE), number(2, 0), number(2, DAY), number(4, crc32(content)), number(4, packed.length),
    number(4, content.length), number(2, Buffer.byteLength(name)), number(2, 0),
  ]);
}

function number(size, n) {
  const b = Buffer.alloc(size);
  b.writeUIntLE(n, 0, size);
  return b;
}

const sha256 = (b) => createHash('sha256').update(b).digest('hex');

/**
 * The extensions for a server of one's own, by file name: an XPI, which Mozilla has not signed, with its updates.json, and with a
 * key a CRX with its update.xml. base is the address of their folder; key is the RSA key that makes the id; over is put over both manifests.
 */
export async function selfHosted(dist, { base, key, over = {} }) {
  if (!/^(https:\/\/|http:\/\/127\.0\.0\.1[:/])[\w.:/~-]*[^/]$/.test(base)) throw new Error(`not the https address of a folder: ${base}`);
  const at = { dist, base, over };
  return { ...await firefoxPackage(at), ...(key && await chromePackage(at, key)) };
}

/** A browser's manifest and what packs the extension with a changed one. */
async function unpacked({ dist, over }, browser) {
  const dir = path.join(dist, browser);
  const manifest = { ...JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8')), ...over };
  return { manifest, zip: (m) => pack(dir, { 'manifest.json': Buffer.from(`${JSON.stringify(m, null, 2)}\n`) }) };
}

async function firefoxPackage(at) {
  const { manifest, zip } = await unpacked(at, 'firefox');
  const gecko = { ...manifest.browser_specific_settings.gecko, update_url: `${at.base}/updates.json` };
  const xpi = { name: `persten-${manifest.version}.xpi`, content: await zip({ ...manifest, browser_specific_settings: { gecko } }) };
  return { [xpi.name]: xpi.content, 'updates.json': updatesJson(at.base, gecko, manifest.version, xpi) };
}

async function chromePackage(at, key) {
  const { manifest, zip } = await unpacked(at, 'chrome');
  const content = crx3(await zip({ ...manifest, key: publicKeyOf(key), update_url: `${at.base}/update.xml` }), key);
  const crx = { name: `persten-${manifest.version}.crx`, content };
  return { [crx.name]: content, 'update.xml': updateXml(at.base, idOf(key), manifest, crx) };
}

/** What Chromium asks for to learn of a newer version. */
const updateXml = (base, id, { version, minimum_chrome_version: least }, { name, content }) => `<?xml version="1.0" encoding="UTF-8"?>
<gupdate xmlns="http://www.google.com/update2/response" protocol="2.0">
  <app appid="${id}">
    <updatecheck codebase="${base}/${name}" version="${version}" prodversionmin="${least}" hash_sha256="${sha256(content)}" size="${content.length}"/>
  </app>
</gupdate>
`;

/** The same for Firefox. */
function updatesJson(base, { id, strict_min_version }, version, { name, content }) {
  const update = { version, update_link: `${base}/${name}`, update_hash: `sha256:${sha256(content)}`, applications: { gecko: { strict_min_version } } };
  return `${JSON.stringify({ addons: { [id]: { updates: [update] } } }, null, 2)}\n`;
}

async function main() {
  const { values: o } = parseArgs({ options: { out: { type: 'string' }, url: { type: 'string' }, key: { type: 'string' } } });
  if (o.key && !o.url) throw new Error('--key is for packages that lie at some --url');
  const [out, dist] = [o.out ?? fileURLToPath(new URL('../bin/', import.meta.url)), fileURLToPath(new URL('dist', import.meta.url))];
  await mkdir(out, { recursive: true });
  for (const browser of ['chrome', 'firefox']) {
    const dir = path.join(dist, browser);
    const { version } = JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8'));
    await writeFile(path.join(out, `persten-${browser}-${version}.zip`), await pack(dir));
  }
  const own = o.url ? await selfHosted(dist, { base: o.url, key: o.key && createPrivateKey(await readFile(o.key)) }) : {};
  for (const [name, content] of Object.entries(own)) await writeFile(path.join(out, name), content);
  if (!o.key) console.error(`Left out, for a server of one's own: ${o.url ? '' : 'the XPI with updates.json (needs EXTENSION_URL), '}the CRX with update.xml (needs EXTENSION_URL and EXTENSION_KEY).`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
