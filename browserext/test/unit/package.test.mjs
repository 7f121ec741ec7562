// SPDX-License-Identifier: GPL-3.0-or-later
// The npm package as a portal gets it: packed, unpacked, imported in every way it says it can be.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import esbuild from 'esbuild';
import { root } from '../load.mjs';

const NAMES = ['OTHER_PLUGINS', 'Persten', 'PerstenError', 'besideError', 'connect', 'detect', 'forgetAgent', 'matches', 'otherPlugins'];
/** KiB of a whole SDK, gzipped. */
const LIMIT = 30;

let portal, files;
const installed = (...parts) => path.join(portal, 'node_modules/@persten/sdk', ...parts);
const run = (program, ...args) => execFileSync(program, args, { cwd: portal, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });

before(async () => {
  portal = await mkdtemp(path.join(os.tmpdir(), 'persten-portal-'));
  const [packed] = JSON.parse(run('npm', 'pack', '--json', '--offline', path.join(root, 'dist/sdk')));
  files = packed.files.map((f) => f.path);
  await mkdir(installed(), { recursive: true });
  run('tar', '-xzf', packed.filename, '-C', installed(), '--strip-components=1');
  await writeFile(path.join(portal, 'package.json'), '{ "name": "portal", "private": true }');
});
after(() => rm(portal, { recursive: true, force: true }));

test('it holds what it names and needs nothing else', async () => {
  const manifest = JSON.parse(await readFile(installed('package.json'), 'utf8'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'scripts', 'bin']) assert.equal(manifest[kind], undefined, kind);
  assert.equal(manifest.sideEffects, false);
  const named = [manifest.main, manifest.module, manifest.types, ...Object.values(manifest.exports).flatMap((e) => (typeof e === 'string' ? e : Object.values(e)))];
  for (const file of named) assert.ok(files.includes(path.posix.normalize(file)), file);
  for (const file of ['README.md', 'LICENSE']) assert.ok(files.includes(file), file);
  assert.ok(files.every((f) => !/\.ts$/.test(f) || /\.d\.ts$/.test(f)), 'no sources');
});

test(`each form stays under ${LIMIT} KiB gzipped`, async (t) => {
  for (const file of ['index.js', 'umd/persten.js']) {
    const size = gzipSync(await readFile(installed(file)), { level: 9 }).length;
    t.diagnostic(`${file}: ${(size / 1024).toFixed(1)} KiB gzipped`);
    assert.ok(size <= LIMIT * 1024, `${file}: ${size}`);
  }
});

test('Node imports it as a module', () => {
  const script = "import * as sdk from '@persten/sdk'; console.log(JSON.stringify([Object.keys(sdk).sort(), sdk.matches({ inn: '1' }, { inn: '1' })]))";
  assert.deepEqual(JSON.parse(run(process.execPath, '--input-type=module', '-e', script)), [NAMES, true]);
});

test('Node requires it', () => {
  const script = "const sdk = require('@persten/sdk'); console.log(JSON.stringify([Object.keys(sdk).sort(), typeof globalThis.Persten, new sdk.PerstenError({ code: 'agent_paused' }, 'ru').advice]))";
  const [names, global, advice] = JSON.parse(run(process.execPath, '-e', script));
  assert.deepEqual([names, global], [NAMES, 'undefined']);
  assert.match(advice, /Возобновить/);
});

test('a script tag gets one global, an AMD loader none', async () => {
  const source = await readFile(installed('umd/persten.js'), 'utf8');
  const page = vm.createContext({});
  vm.runInContext(source, page);
  assert.deepEqual([Object.keys(page), Object.keys(page.Persten).sort()], [['Persten'], NAMES]);
  const defined = [];
  const loader = vm.createContext({ define: Object.assign((needs, make) => defined.push([[...needs], Object.keys(make()).sort()]), { amd: {} }) });
  vm.runInContext(source, loader);
  assert.deepEqual([defined, Object.keys(loader)], [[[[], NAMES]], ['define']]);
});

test('a bundler takes only what is used', async () => {
  const built = await esbuild.build({
    stdin: { contents: "import { matches } from '@persten/sdk'; console.log(matches({}, {}))", resolveDir: portal }, bundle: true, write: false, minify: true, format: 'esm',
  });
  assert.ok(built.outputFiles[0].contents.length < 2048, `${built.outputFiles[0].contents.length} bytes for one function`);
});

test('a portal in TypeScript compiles against it, its mistakes do not', async () => {
  await copyFile(path.join(root, 'test/consumer/portal.ts'), path.join(portal, 'portal.mts'));
  for (const [module, resolution] of [['nodenext', 'nodenext'], ['node16', 'node16'], ['esnext', 'bundler']]) {
    const args = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--types', '', '--module', module, '--moduleResolution', resolution];
    try {
      run(process.execPath, path.join(root, 'node_modules/typescript/bin/tsc'), ...args, 'portal.mts');
    } catch (e) {
      assert.fail(`${resolution}: ${e.stdout}${e.stderr}`);
    }
  }
});
