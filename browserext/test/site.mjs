// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { root } from './load.mjs';

/**
 * An https site with the SDK, for a public page has to be a secure one. headers are more headers by path, scripts what pages run.
 * One of http alone, whose pages are not secure, is had with secure: false.
 */
export async function startSite(dir, host, { pages = {}, headers = {}, secure = true } = {}) {
  const answer = (q, a) => {
    const name = new URL(q.url, 'http://x').pathname;
    const sdk = name === '/persten.js' && readFileSync(path.join(root, 'dist/sdk/umd/persten.js'));
    a.writeHead(200, { 'content-type': name.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8', ...headers[name] });
    a.end(sdk || (pages[name] ?? '<!doctype html><title>p</title><script src="/persten.js"></script>'));
  };
  const server = secure ? https.createServer(certificate(dir, host), answer) : http.createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return {
    port, origin: `http${secure ? 's' : ''}://${host}:${port}`,
    end: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

function certificate(dir, host) {
  const [key, cert] = ['key', 'pem'].map((n) => path.join(dir, `${host}.${n}`));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
    '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`], { stdio: 'pipe' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}
