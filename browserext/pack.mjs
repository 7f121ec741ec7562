// SPDX-License-Identifier: GPL-3.0-or-later
// Packs the built extensions for the browsers' shops: node pack.mjs writes ../bin/persten-{chrome,firefox}-VERSION.zip. The bytes
// depend on the files alone, so that anybody can build a package again and compare.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateRawSync } from 'node:zlib';

const VERSION = 20;
const UTF8 = 0x800;
const DEFLATE = 8;
const DAY = 0x21; // 1 January 1980, the first day a zip can name

/** The files of a folder as a zip, sorted by name. */
export async function pack(dir) {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  const names = found.filter((f) => f.isFile()).map((f) => path.relative(dir, path.join(f.parentPath, f.name)).replaceAll(path.sep, '/')).sort();
  const [files, directory] = [[], []];
  let at = 0;
  for (const name of names) {
    const content = await readFile(path.join(dir, name));
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = fileURLToPath(new URL('../bin/', import.meta.url));
  await mkdir(out, { recursive: true });
  for (const browser of ['chrome', 'firefox']) {
    const dir = fileURLToPath(new URL(`dist/${browser}`, import.meta.url));
    const { version } = JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8'));
    await writeFile(path.join(out, `persten-${browser}-${version}.zip`), await pack(dir));
  }
}
