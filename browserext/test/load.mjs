// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import path from 'node:path';
import esbuild from 'esbuild';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Imports TypeScript modules of this folder together, so that they share one copy of what they import. */
export async function load(...files) {
  const contents = files.map((f) => `export * from './${f}';`).join('\n');
  const built = await esbuild.build({
    stdin: { contents, resolveDir: root }, bundle: true, write: false, format: 'esm', target: 'node20', logLevel: 'error',
  });
  const dir = await mkdtemp(path.join(os.tmpdir(), 'persten-ext-'));
  try {
    await writeFile(path.join(dir, 'bundle.mjs'), built.outputFiles[0].contents);
    return await import(pathToFileURL(path.join(dir, 'bundle.mjs')).href);
  } finally {
    await rm(dir, { recursive: true });
  }
}
