// SPDX-License-Identifier: MIT
// Starts Persten for a test of a portal: without a desktop, with the practice token, in folders of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const pinentry = fileURLToPath(new URL('pinentry.sh', import.meta.url));

/**
 * Starts a session that lets origin in and says yes to its questions. Resolves to the port for the SDK's connect({port}), the
 * practice token's CA (a file, for verification) and its CRL, and a function that ends it all.
 */
export async function startPersten(origin, { program = process.env.PERSTEN ?? 'persten' } = {}) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'persten-ci-'));
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', PERSTEN_CI_SITE: origin };
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME']) {
    mkdirSync((env[name] = path.join(dir, name)), { mode: 0o700 });
  }
  const port = await freePort();
  const [config, token] = [path.join(dir, 'config.toml'), path.join(dir, 'token')];
  const lines = ['[ui]', 'approver = "pinentry"', `pinentry = ${JSON.stringify(pinentry)}`, '[origins]', `allow = [${JSON.stringify(origin)}]`,
    '[listen]', `websocket = "127.0.0.1:${port}"`];
  writeFileSync(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  const session = spawn(program, ['session', '--headless', '--demo-token', token, '--config', config], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const end = async () => {
    if (session.exitCode === null && session.signalCode === null && session.kill()) await once(session, 'exit');
    await rm(dir, { recursive: true, force: true });
  };
  await answers(port, session).catch(async (e) => { await end(); throw e; });
  return { port, ca: path.join(token, 'ca.pem'), crl: path.join(token, 'ca.crl'), end };
}

async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  return port;
}

async function answers(port, session) {
  for (const until = Date.now() + 20_000; Date.now() < until; ) {
    if (session.exitCode !== null) throw new Error('persten ended; its reason is above');
    const text = await fetch(`http://127.0.0.1:${port}/health`).then((r) => r.text(), () => '');
    if (text === 'persten\n') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('persten did not start');
}
