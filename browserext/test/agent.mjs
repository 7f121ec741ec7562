// SPDX-License-Identifier: GPL-3.0-or-later
// A real session with a SoftHSM token, in folders of its own.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from './desktop.mjs';
import { root } from './load.mjs';

export const PIN = '24117356';
export const persten = process.env.PERSTEN_BIN ?? path.join(root, '../bin/persten');
export const perstenDesktop = process.env.PERSTEN_DESKTOP_BIN ?? path.join(root, '../bin/persten-desktop');
const softhsm = process.env.SOFTHSM2_MODULE ?? '/usr/lib/softhsm/libsofthsm2.so';

const run = promisify(execFile);

/** Makes a token with an RSA key whose certificate a test CA issued. Returns the CA's file. */
function makeToken(dir, env) {
  const at = (name) => path.join(dir, name);
  const sh = (program, ...args) => execFileSync(program, args, { env, cwd: dir, stdio: 'pipe' });
  mkdirSync(at('tokens'));
  writeFileSync(at('softhsm2.conf'), `directories.tokendir = ${at('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  writeFileSync(at('leaf.ext'), 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n');
  sh('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=Persten test CA');
  sh('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'leaf.key', '-out', 'leaf.csr', '-utf8', '-subj', '/CN=Демонстрационный Подписант/O=Демонстрационная организация');
  sh('openssl', 'x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-extfile', 'leaf.ext', '-outform', 'DER', '-out', 'leaf.der');
  writeFileSync(at('ca.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n');
  writeFileSync(at('index.txt'), '');
  sh('openssl', 'ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'ca.key', '-cert', 'ca.pem', '-out', 'ca.crl');
  sh('openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', 'leaf.key', '-out', 'leaf.p8');
  sh('softhsm2-util', '--init-token', '--free', '--label', 'browser-test', '--pin', PIN, '--so-pin', '87654321');
  sh('softhsm2-util', '--import', 'leaf.p8', '--token', 'browser-test', '--label', 'leaf', '--id', 'a1', '--pin', PIN);
  sh('pkcs11-tool', '--module', softhsm, '--token-label', 'browser-test', '--login', '--pin', PIN, '--write-object', 'leaf.der', '--type', 'cert', '--id', 'a1', '--label', 'leaf');
  return at('ca.pem');
}

export async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

/** Starts a session that lets origins in, with more options of the session, and with config in place of trust in its own CA when given. */
export async function startAgent(dir, desktopEnv, origins, { options = [], config, lang = 'ru' } = {}) {
  const folders = { HOME: 'home', XDG_CONFIG_HOME: 'config', XDG_STATE_HOME: 'state', XDG_RUNTIME_DIR: 'run', XDG_CACHE_HOME: 'cache' };
  const env = { ...desktopEnv, SOFTHSM2_CONF: path.join(dir, 'softhsm2.conf'), PERSTEN_DESKTOP: perstenDesktop };
  for (const [name, folder] of Object.entries(folders)) mkdirSync((env[name] = path.join(dir, folder)), { mode: 0o700 });
  const ca = makeToken(dir, env);
  const port = await freePort();
  mkdirSync(path.join(dir, 'config/persten'), { mode: 0o700 });
  writeFileSync(path.join(dir, 'config/persten/config.toml'), `[[module]]
name = "softhsm"
path = ${JSON.stringify(softhsm)}
[ui]
approver = "window"
language = "${lang}"
[origins]
allow = ${JSON.stringify(origins)}
[listen]
websocket = "127.0.0.1:${port}"
${config ?? `[trust]
roots = ${JSON.stringify([ca])}
crls = ${JSON.stringify([ca.replace('.pem', '.crl')])}
`}`, { mode: 0o600 });
  const log = path.join(dir, 'session.log');
  const command = (...args) => run(persten, args, { env });
  const told = () => readFileSync(log, 'utf8');
  const agent = new Agent({ env, ca, port, command, told, dir, log, options });
  await agent.start();
  return agent;
}

class Agent {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Starts the session, at first or after end. */
  async start() {
    this.session = spawn(persten, ['session', ...this.options], { env: this.env, stdio: ['ignore', 'ignore', openSync(this.log, 'a')] });
    await until(() => {
      if (this.session.exitCode !== null) throw new Error(`session ended: ${this.told()}`);
      return this.command('status').then(() => true, () => false);
    }, 'the session').catch((e) => { throw new Error(`${e.message}\n${this.told()}`); });
  }

  /** Calls a method as a program of the same user does. Resolves to its result. */
  local(method, params = {}) {
    const little = os.endianness() === 'LE';
    const length = (b) => (little ? b.readUInt32LE() : b.readUInt32BE());
    const framed = (v) => {
      const body = Buffer.from(JSON.stringify(v));
      const head = Buffer.alloc(4);
      head[little ? 'writeUInt32LE' : 'writeUInt32BE'](body.length);
      return Buffer.concat([head, body]);
    };
    return new Promise((resolve, reject) => {
      const s = net.connect(path.join(this.env.XDG_RUNTIME_DIR, 'persten/session.sock'));
      s.once('error', reject);
      s.write(Buffer.concat([framed({ role: 'local' }), framed({ jsonrpc: '2.0', id: 1, method, params })]));
      let got = Buffer.alloc(0);
      s.on('data', (d) => {
        for (got = Buffer.concat([got, d]); got.length >= 4 && got.length >= 4 + length(got); got = got.subarray(4 + length(got))) {
          const { id, error, result } = JSON.parse(got.subarray(4, 4 + length(got)));
          if (id === undefined) continue; // a notification
          s.destroy();
          if (error) reject(new Error(JSON.stringify(error)));
          else resolve(result);
        }
      });
    });
  }

  /** Has OpenSSL judge a signature; content only when it is detached. Resolves to the bytes an attached one holds. */
  async opensslVerify(signature, content) {
    const file = path.join(this.dir, 'judged.p7s');
    writeFileSync(file, signature);
    const args = ['cms', '-verify', '-cades', '-binary', '-inform', 'DER', '-in', file, '-CAfile', this.ca, '-purpose', 'any'];
    if (content !== undefined) {
      writeFileSync(path.join(this.dir, 'judged.bin'), content);
      args.push('-content', path.join(this.dir, 'judged.bin'), '-out', '/dev/null');
    }
    return (await run('openssl', args, { env: this.env, encoding: 'buffer' })).stdout;
  }

  /** Has OpenSSL with its GOST engine judge a signature by the test CA or by the demonstration token's. Resolves to the signed bytes. */
  async opensslGost(signature, content) {
    const at = (name) => path.join(this.dir, name);
    writeFileSync(at('gost.cnf'), 'openssl_conf=o\n[o]\nengines=e\n[e]\ngost=g\n[g]\nengine_id=gost\ndefault_algorithms=ALL\n');
    writeFileSync(at('both.pem'), Buffer.concat([this.ca, at('demo/ca.pem')].map((f) => readFileSync(f))));
    writeFileSync(at('judged.p7s'), signature);
    const args = ['cms', '-verify', '-cades', '-binary', '-inform', 'DER', '-in', at('judged.p7s'), '-CAfile', at('both.pem'), '-purpose', 'any', '-out', at('judged.out')];
    if (content !== undefined) {
      writeFileSync(at('judged.bin'), content);
      args.push('-content', at('judged.bin'));
    }
    await run('openssl', args, { env: { ...this.env, OPENSSL_CONF: at('gost.cnf') } });
    return readFileSync(at('judged.out'));
  }

  /** Has xmlsec1 judge a signed document; ids are elements whose Id attribute counts. Rejects when it says no. */
  async xmlsecVerify(document, ids = []) {
    const file = path.join(this.dir, 'judged.xml');
    writeFileSync(file, document);
    const names = [...ids, 'SignedProperties'].flatMap((name) => ['--id-attr:Id', name]);
    return run('xmlsec1', ['--verify', '--trusted-pem', this.ca, ...names, file], { env: this.env });
  }

  /** The records of the journal, oldest first. */
  async journal() {
    return JSON.parse((await run(persten, ['journal', 'list', '--limit', '5000', '--json'], { env: this.env, maxBuffer: 64 << 20 })).stdout);
  }

  /** Ends the session as a crash would. */
  crash() {
    return this.end('SIGKILL');
  }

  async end(signal = 'SIGTERM') {
    if (this.session.exitCode !== null || this.session.signalCode !== null) return;
    const ended = once(this.session, 'exit');
    this.session.kill(signal);
    await ended;
  }
}

/** A WebSocket handshake by hand, with any Host and Origin. Resolves to the status line. */
export function handshake(port, headers) {
  return new Promise((resolve, reject) => {
    const lines = Object.entries({
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'persten.v1', ...headers,
    }).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}: ${v}`);
    const s = net.connect(port, '127.0.0.1', () => s.write(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`));
    s.once('data', (d) => {
      resolve(String(d).split('\r\n')[0]);
      s.destroy();
    });
    s.once('error', reject);
    s.once('close', () => resolve('closed'));
  });
}
