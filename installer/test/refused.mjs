// SPDX-License-Identifier: GPL-3.0-or-later
// What another user of the machine may try against a session that is not theirs: refused.mjs PERSTEN SOCKET PORT ORIGIN TIMES EXTENSION.
// Prints a line of JSON: on each way in, how often it was refused and what else happened.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

const [persten, socket, port, origin, times, extension] = process.argv.slice(2);

/** Resolves to the first bytes an attempt got, or to how it failed. */
function attempt(connect, hello) {
  return new Promise((resolve) => {
    const s = connect();
    s.once('connect', () => s.write(hello));
    s.once('data', (d) => (s.destroy(), resolve(String(d).split('\r\n')[0])));
    s.once('error', (e) => resolve(e.code));
    s.once('close', () => resolve('closed'));
  });
}

const frame = (v) => {
  const body = Buffer.from(JSON.stringify(v));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
};
const status = frame({ jsonrpc: '2.0', id: 1, method: 'agent.status', params: {} });
const handshake = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`
  + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: persten.v1\r\n\r\n';

/** The native host with another user's socket named to it: it answers nothing and fails. */
async function host() {
  const child = spawn(persten, [extension], { env: { ...process.env, PERSTEN_SOCKET: socket }, stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(frame({ ch: 'a'.repeat(32), kind: 'open', from: { origin, top: origin, frame: 0 } }));
  let said = 0;
  child.stdout.on('data', (d) => { said += d.length; });
  const [code] = await once(child, 'exit');
  return said === 0 && code !== 0 ? 'failed' : `said ${said} bytes, exit ${code}`;
}

const ways = {
  socket: [() => attempt(() => net.connect(socket), Buffer.concat([frame({ role: 'local' }), status])), ['EACCES']],
  websocket: [() => attempt(() => net.connect(port, '127.0.0.1'), handshake), ['closed', 'ECONNRESET', 'EPIPE']],
  host: [host, ['failed']],
};
const result = {};
for (const [name, [once, refusals]] of Object.entries(ways)) {
  const other = {};
  let refused = 0;
  const one = async () => {
    const how = await once();
    if (refusals.includes(how) || /^HTTP\/1\.1 403/.test(how)) refused++;
    else other[how] = (other[how] ?? 0) + 1;
  };
  const many = name === 'host' ? 4 : 1;
  for (let i = 0; i < times; i += many) await Promise.all(Array.from({ length: many }, one));
  result[name] = { refused, other };
}
console.log(JSON.stringify(result));
