// SPDX-License-Identifier: GPL-3.0-or-later
// Builds everything under dist/: chrome and firefox (unpacked extensions), sdk (the npm package), demo (the playground, static pages).
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import esbuild from 'esbuild';

const root = path.dirname(fileURLToPath(import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const json = async (file) => JSON.parse(await readFile(at(file), 'utf8'));

const common = { absWorkingDir: root, bundle: true, target: ['chrome116', 'firefox142'], charset: 'utf8', legalComments: 'inline', logLevel: 'warning' };

/** Two objects, members of the second winning; plain objects are merged. */
function overlay(base, over) {
  const out = { ...base };
  for (const [k, v] of Object.entries(over)) {
    const both = [out[k], v].every((x) => x && typeof x === 'object' && !Array.isArray(x));
    out[k] = both ? overlay(out[k], v) : v;
  }
  return out;
}

async function clean() {
  for (const name of await readdir(at('dist')).catch(() => [])) {
    if (name !== '.gitkeep') await rm(at('dist', name), { recursive: true });
  }
}

async function extension(browser) {
  const out = at('dist', browser);
  await esbuild.build({ ...common, format: 'iife', outdir: out, entryPoints: { content: 'src/content.ts', background: 'src/background.ts', 'status/status': 'src/status/status.ts' } });
  await esbuild.build({ ...common, format: 'iife', outdir: path.join(out, 'compat'), entryPoints: { cades: 'src/compat/cades/main.ts', rutoken: 'src/compat/rutoken/main.ts', webeid: 'src/compat/webeid/main.ts', hwcrypto: 'src/compat/hwcrypto/main.ts' } });
  for (const file of ['status.html', 'status.css']) await cp(at('src/status', file), path.join(out, 'status', file));
  await cp(at('_locales'), path.join(out, '_locales'), { recursive: true });
  await cp(at('icons'), path.join(out, 'icons'), { recursive: true, filter: (f) => !f.endsWith('.svg') });
  if (browser === 'chrome') await cp(at('manifest/managed.json'), path.join(out, 'managed.json'));
  const manifest = overlay(await json('manifest/base.json'), await json(`manifest/${browser}.json`));
  await writeFile(path.join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Makes a CommonJS body also serve AMD and a plain script tag, where it defines the global Persten. */
const umd = {
  before: `(function (root, make) {
  if (typeof define === 'function' && define.amd) define([], make);
  else if (typeof module === 'object' && module.exports) module.exports = make();
  else root.Persten = make();
})(typeof globalThis === 'object' ? globalThis : this, function () { 'use strict'; var module = { exports: {} };`,
  after: 'return module.exports; });',
};

async function sdk() {
  const out = at('dist/sdk');
  const entry = { ...common, entryPoints: ['sdk/index.ts'] };
  await esbuild.build({ ...entry, format: 'esm', sourcemap: true, sourcesContent: true, outfile: path.join(out, 'index.js') });
  await esbuild.build({ ...entry, format: 'cjs', minify: true, banner: { js: umd.before }, footer: { js: umd.after }, outfile: path.join(out, 'umd/persten.js') });
  await writeFile(path.join(out, 'umd/package.json'), '{ "type": "commonjs" }\n');
  await esbuild.build({ ...common, format: 'esm', target: 'node20', platform: 'neutral', external: ['node:*'], outdir: out, entryPoints: { verify: 'sdk/server/index.ts', 'verify-node': 'sdk/server/node.ts' } });
  for (const config of ['tsconfig.sdk.json', 'tsconfig.node.json']) {
    execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at(config)], { stdio: 'inherit' });
  }
  // The portal in Go stays out: copies of it would be packages of this module.
  const filter = (f) => !f.startsWith(at('sdk/recipes/login'));
  for (const file of ['package.json', 'README.md', 'LICENSE', 'recipes']) await cp(at('sdk', file), path.join(out, file), { recursive: true, filter });
}

/** Pages of the portal in the order of its menu; those in the second row are made for other plug-ins. */
const PAGES = [['index', 'xml', 'batch', 'large', 'verify', 'certificates', 'login', 'methods'], ['cades', 'rutoken', 'webeid', 'hwcrypto', 'ncalayer', 'nexu']]
  .map((names) => names.filter((name) => existsSync(at('demo/pages', `${name}.ts`))));

/** Puts a page together: the shell around its own HTML, and parts that several pages have. A page without HTML is of a face. */
async function htmlOf(page, part) {
  const body = await readFile(at('demo/pages', `${page}.html`), 'utf8').catch(() => '{{face}}');
  const item = (name) => `<li><a href="${name}.html" data-t="nav_${name}"></a></li>`;
  const [own, others] = PAGES.map((names) => names.map(item).join(''));
  const nav = `<ul>${own}</ul><ul><li class="quiet" data-t="otherPlugins"></li>${others}</ul>`;
  const fill = (text) => text.replace(/\{\{(\w+)\}\}/g, (_, name) => ({ page, nav, body }[name] ?? part[name]));
  return fill(fill(fill(part.shell))).replace(/\n{2,}/g, '\n');
}

async function demo() {
  const out = at('dist/demo');
  await mkdir(out, { recursive: true });
  const part = Object.fromEntries(await Promise.all((await readdir(at('demo/parts'))).map(async (f) => [path.parse(f).name, (await readFile(at('demo/parts', f), 'utf8')).trimEnd()])));
  const pages = PAGES.flat().map((name) => `demo/pages/${name}.ts`);
  await esbuild.build({ ...common, format: 'esm', splitting: true, outdir: out, entryPoints: [...pages, 'demo/style.css'], entryNames: '[name]' });
  for (const page of PAGES.flat()) await writeFile(path.join(out, `${page}.html`), `${await htmlOf(page, part)}\n`);
  await cp(at('icons/persten.svg'), path.join(out, 'persten.svg'));
}

/** The page that explains every error, into a folder beside what it is part of. */
async function help(...folders) {
  for (const folder of folders) {
    const out = at('dist', folder, 'help');
    await esbuild.build({ ...common, format: 'iife', outdir: out, entryPoints: ['help/help.ts', 'help/help.css'] });
    await cp(at('help/index.html'), path.join(out, 'index.html'));
  }
}

await mkdir(at('dist'), { recursive: true });
await clean();
if (!process.argv.includes('--clean')) {
  await Promise.all([extension('chrome'), extension('firefox'), sdk(), demo(), help('chrome', 'firefox', 'demo')]);
}
