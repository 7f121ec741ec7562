// SPDX-License-Identifier: GPL-3.0-or-later
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { root } from './load.mjs';

export const EXTENSION = 'ldofnahphfbbgmklgggghnhbadlgdgmj';

export const chromiumProgram = process.env.CHROMIUM ?? '/usr/bin/chromium';

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-dev-shm-usage',
];

/** A folder for one test run, gone afterwards. */
export async function workshop() {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'persten-browser-'));
  return { dir, end: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * Starts Chromium with the built extension, or the one unpacked at extension, or none, on a fresh profile under dir. hosts are
 * names that mean this computer; what publicPort serves counts as a page from the internet; without are options of the driver's,
 * and of these tests, that are left out. program is run in place of Chromium, and runs it.
 */
export async function startChromium(dir, { extension = true, headless = true, env, args = [], hosts = [], publicPort, program, without = [] } = {}) {
  const net = [
    ...(hosts.length > 0 ? [`--host-resolver-rules=${hosts.map((h) => `MAP ${h} 127.0.0.1`).join(', ')}`] : []),
    ...(publicPort ? [`--ip-address-space-overrides=127.0.0.1:${publicPort}=public`] : []),
  ];
  const at = extension === true ? path.join(root, 'dist/chrome') : extension;
  const load = extension ? [`--disable-extensions-except=${at}`, `--load-extension=${at}`] : [];
  return chromium.launchPersistentContext(path.join(dir, 'profile'), {
    executablePath: program ?? chromiumProgram,
    headless, acceptDownloads: true, locale: 'ru-RU',
    args: [...flags.filter((f) => !without.includes(f)), ...load, ...net, ...args],
    ignoreDefaultArgs: ['--disable-extensions', ...without],
    ...(env ? { env } : {}),
  });
}

/**
 * The built extension with the browser's permission for this computer's pages already given: the dialog that asks the person
 * for it cannot be answered without a display. Resolves to where it is.
 */
export async function permitted(dir) {
  const at = path.join(dir, 'extension');
  await cp(path.join(root, 'dist/chrome'), at, { recursive: true });
  const file = path.join(at, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...manifest, host_permissions: ['http://127.0.0.1/*', 'https://127.0.0.1/*'] }));
  return at;
}

/** Runs in the extension: stores the choice of a face for a site, and waits until it is registered. */
export async function chooseFace({ site, name }) {
  const registered = async () => (await chrome.scripting.getRegisteredContentScripts({ ids: [name] })).some((s) => s.matches.includes(site));
  const { faces = {} } = await chrome.storage.local.get('faces');
  await chrome.storage.local.set({ faces: { ...faces, [site]: [...(faces[site] ?? []), name] } });
  for (let tries = 0; !(await registered()); tries++) {
    if (tries > 50) throw new Error(`${name} was not registered`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Turns a face on for a site, as the popup does. */
export async function turnOn(browser, origin, face) {
  const worker = browser.serviceWorkers()[0] ?? await browser.waitForEvent('serviceworker');
  const { protocol, hostname } = new URL(origin);
  await worker.evaluate(chooseFace, { site: `${protocol}//${hostname}/*`, name: face });
}

/** Registers a native host for the profile under dir. */
export async function registerHost(dir, command, allowed = [`chrome-extension://${EXTENSION}/`]) {
  const hosts = path.join(dir, 'profile/NativeMessagingHosts');
  const script = path.join(dir, 'host');
  await mkdir(hosts, { recursive: true });
  await writeFile(script, `#!/bin/sh\nexec ${command} "$@"\n`);
  await chmod(script, 0o755);
  const manifest = { name: 'persten.agent', description: 'Persten', path: script, type: 'stdio', allowed_origins: allowed };
  await writeFile(path.join(hosts, 'persten.agent.json'), JSON.stringify(manifest));
}

/** Serves files of a folder of dist/, and extra pages by path, on 127.0.0.1. */
export async function serve(folder, pages = {}) {
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
  const server = http.createServer(async (q, a) => {
    const name = new URL(q.url, 'http://x').pathname.replace(/\/$/, '/index.html').slice(1);
    const page = pages[name];
    const body = page ?? (/^[\w./-]+$/.test(name) && !name.includes('..') ? await readFile(path.join(root, 'dist', folder, name)).catch(() => undefined) : undefined);
    a.writeHead(body === undefined ? 404 : 200, { 'content-type': `${types[path.extname(name)] ?? 'text/html'}; charset=utf-8` });
    a.end(body ?? 'not found');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { port, origin: `http://127.0.0.1:${port}`, end: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) };
}
