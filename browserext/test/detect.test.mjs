// SPDX-License-Identifier: GPL-3.0-or-later
// detect() in real browsers with the real agent, and with other programs on the agent's port. The pages are public ones, so that
// the browsers' local-network rules hold.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { freePort, persten, perstenDesktop, PIN, startAgent } from './agent.mjs';
import { browsers } from './browsers.mjs';
import { chromiumProgram, permitted, registerHost, startChromium, workshop } from './chromium.mjs';
import { startDesktop, until } from './desktop.mjs';
import { SQUATTERS, startSquatter } from './fixtures/squatter.mjs';
import { startWebSocketAgent } from './fixtures/websocket.mjs';
import { insideFirefox } from './firefox.mjs';
import { uninstalled } from './policy.mjs';
import { startSite } from './site.mjs';

const missing = [persten, perstenDesktop].filter((p) => !existsSync(p));
const skip = missing.length > 0 && `NOT RUN: build ${missing.join(' and ')} first, or set PERSTEN_BIN and PERSTEN_DESKTOP_BIN`;
const check = (name, f, more = skip) => test(name, { skip: skip || more, timeout: 180_000 }, f);

const HOSTS = ['portal.example.test', 'stranger.example.test'];
const SECRET = 'Совершенно секретный документ';

let shop, desktop, portal, stranger, plain, agent, chromium;

before(async () => {
  if (skip) return;
  shop = await workshop();
  desktop = await startDesktop();
  const policy = (list) => ({ 'content-security-policy': `connect-src ${list}` });
  portal = await startSite(shop.dir, HOSTS[0], { headers: { '/self.html': policy("'self'") } });
  stranger = await startSite(shop.dir, HOSTS[1]);
  plain = await startSite(shop.dir, HOSTS[0], { secure: false });
  agent = await startAgent(shop.dir, desktop.env, [portal.origin]);
  chromium = await browsers.chromium.start(shop.dir, { extension: false, hosts: HOSTS, env: agent.env, ...open([portal, stranger]) });
});
after(async () => {
  await chromium?.close();
  await agent?.end();
  for (const s of [portal, stranger, plain]) await s?.end();
  await desktop?.end();
  await shop?.end();
});

/** The browser's arguments by which what these sites serve counts as the internet. */
const open = (sites) => ({ args: [`--ip-address-space-overrides=${sites.map((s) => `127.0.0.1:${s.port}=public`).join(',')}`] });

/** Runs f of one argument on a page of a site. */
async function on(site, f, arg, { at = '/', browser = chromium } = {}) {
  const page = await browser.newPage();
  try {
    await page.goto(`${site.origin}${at}`);
    return await page.evaluate(f, arg);
  } finally {
    await page.close();
  }
}

/** What detect comes to: state, code, transport, and the permission when it is told. */
async function look(site, { port = agent.port, ...more } = {}) {
  const { state, code, transport, permission, text, advice } = await on(site, (o) => Persten.detect(o), { port, lang: 'ru' }, more);
  assert.match(text, /[а-я]/);
  assert.equal(advice === '', state === 'ready');
  return [state, code, transport, ...(permission ? [permission] : [])].join(' ');
}

/** Another program on a port, for one test. */
async function squat(t, kind, where) {
  const squatter = await startSquatter(kind, where);
  t.after(squatter.end);
  return squatter;
}

const pin = (site, more) => on(site, () => localStorage.getItem('persten.agent'), undefined, more);

check('the browser has to be asked first: a button is wanted, and the agent hears nothing', async (t) => {
  const heard = await squat(t, 'garbage');
  assert.equal(await look(portal, { port: heard.port }), 'blocked_by_browser browser_permission_needed websocket prompt');
  assert.equal(heard.connections, 0);
  assert.equal(await look(plain), 'insecure_page context_insecure none');
});

check('permitted: ready, paused, not allowed, refused; and nobody is asked about a site that only looks', async () => {
  for (const { origin } of [portal, stranger]) await chromium.grantPermissions(['local-network-access'], { origin });
  assert.equal(await look(portal), 'ready ready websocket');
  assert.equal(JSON.parse(await pin(portal)).via, 'websocket');
  await agent.local('agent.pause', { paused: true });
  assert.equal(await look(portal), 'agent_paused agent_paused websocket');
  await agent.local('agent.pause', { paused: false });
  assert.equal(await look(stranger), 'origin_not_allowed origin_not_allowed websocket');
  assert.deepEqual(await desktop.windows(), [], 'nobody is asked');
  await agent.command('origins', 'deny', stranger.origin);
  assert.equal(await look(stranger), 'origin_not_allowed origin_not_allowed websocket');
  await agent.command('origins', 'forget', stranger.origin);
  assert.equal(await look(portal, { at: '/self.html' }), 'blocked_by_browser page_policy websocket');
});

check('connect does ask about the site', async () => {
  const code = on(stranger, (port) => Persten.connect({ port, retryOrigin: false }).catch((e) => e.code), agent.port);
  assert.equal(await code, 'origin_not_allowed');
  await desktop.prompt();
  await desktop.shot('allow-site');
  await desktop.dismiss();
  await agent.command('origins', 'forget', stranger.origin);
});

check("a page's Content-Security-Policy: the WebSocket needs ws, telling why it fails needs http", async (t) => {
  const to = (...schemes) => ({ 'content-security-policy': `connect-src ${schemes.map((s) => `${s}://127.0.0.1:${agent.port}`).join(' ')}` });
  const site = await startSite(shop.dir, HOSTS[0], { headers: { '/ws.html': to('ws'), '/both.html': to('ws', 'http'), '/http.html': to('http') } });
  const dir = path.join(shop.dir, 'csp');
  mkdirSync(dir);
  t.after(site.end);
  const browser = await browsers.chromium.start(dir, { extension: false, hosts: HOSTS, ...open([site]) });
  t.after(() => browser.close());
  await browser.grantPermissions(['local-network-access'], { origin: site.origin });
  assert.equal(await look(site, { browser, at: '/both.html' }), 'origin_not_allowed origin_not_allowed websocket');
  for (const at of ['/ws.html', '/http.html']) assert.equal(await look(site, { browser, at }), 'blocked_by_browser page_policy websocket');
  await agent.command('origins', 'allow', site.origin);
  assert.equal(await look(site, { browser, at: '/ws.html' }), 'ready ready websocket');
});

check('the agent ended: known as not running where it was met, as not installed elsewhere; started again, a page goes on', async () => {
  const page = await chromium.newPage();
  await page.goto(portal.origin);
  const listed = () => page.evaluate(() => globalThis.persten.certificates().then((c) => c.length, (e) => e.code));
  await page.evaluate(async (port) => { globalThis.persten = await Persten.connect({ port }); }, agent.port);
  assert.equal(await listed(), 1);
  await agent.end();
  assert.equal(await look(portal), 'agent_not_running agent_not_running websocket');
  assert.equal(await look(stranger), 'not_installed agent_not_installed websocket');
  assert.equal(await listed(), 'agent_not_running');
  const before = await pin(portal);
  await agent.start();
  assert.equal(await listed(), 1, 'the same object, connected again by the call itself');
  assert.equal(await look(portal), 'ready ready websocket');
  assert.equal(await pin(portal), before, 'the key stays over restarts');
  await page.close();
});

check('a signature under way when the agent ends is lost, and is not asked for twice', async () => {
  const page = await chromium.newPage();
  await page.goto(portal.origin);
  const signing = page.evaluate(async (port) => {
    const persten = await Persten.connect({ port });
    const [certificate] = await persten.certificates();
    const lost = await persten.signCms({ text: 'x' }, { certificate }).catch((e) => [e.code, e.text, e.advice]);
    return [lost, await new Promise((again) => setTimeout(() => persten.status().then((s) => again(s.state), (e) => again(e.code)), 4_000))];
  }, agent.port);
  await desktop.prompt();
  await agent.end();
  await agent.start();
  const [[code, text, advice], state] = await signing;
  assert.deepEqual([code, state], ['agent_lost', 'ready']);
  assert.ok(text && advice);
  assert.deepEqual(await desktop.windows(), [], 'nothing asks again');
  await page.close();
});

check('digest and size come with the signature, of UTF-8 where text was given', async () => {
  const page = await chromium.newPage();
  await page.goto(portal.origin);
  const signing = page.evaluate(async (port) => {
    const persten = await Persten.connect({ port });
    const [certificate] = await persten.certificates();
    const text = 'Ёлка — 10 ₽';
    const { digest, digestAlg, size } = await persten.signCms({ text }, { certificate });
    const bytes = new TextEncoder().encode(text);
    const own = Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (b) => b.toString(16).padStart(2, '0')).join('');
    return { digest: digest === own, digestAlg, size: size === bytes.length };
  }, agent.port);
  await desktop.prompt();
  await desktop.insist(PIN);
  assert.deepEqual(await signing, { digest: true, digestAlg: 'sha256', size: true });
  await desktop.dismiss();
  await page.close();
});

/** Looks, and tries to have a document signed, as often as told. Runs in the page. */
async function betray({ port, times, secret }) {
  const tries = Array.from({ length: times }, async () => {
    const { state, text, advice } = await Persten.detect({ port });
    const code = await Persten.connect({ port, retryOrigin: false })
      .then((p) => p.signCms({ text: secret }, { certificate: 'c'.repeat(64) })).then(() => 'signed', (e) => e.code);
    return [state, code, /Скачайте|evil/.test(text + advice)];
  });
  return Promise.all(tries);
}

/** Those whose silence the browser waits for, one connection after the other, are met less often. */
const timesOf = (kind) => ({ 'silent accept': 2, 'a deaf server': 4, 'an echo': 4 })[kind] ?? 16;

check('another program on the port: not_our_agent every time, and it gets no document', async (t) => {
  let [looks, refused, documents] = [0, 0, 0];
  for (const kind of SQUATTERS.filter((k) => k !== 'an echo of bytes')) {
    const squatter = await squat(t, kind);
    const tried = await on(portal, betray, { port: squatter.port, times: timesOf(kind), secret: SECRET });
    for (const [state, code, quoted] of tried) {
      looks++;
      if (state === 'not_our_agent' && ['not_our_agent', 'agent_unknown'].includes(code) && !quoted) refused++;
      else assert.fail(`${kind}: ${state}, ${code}, ${quoted}`);
    }
    const methods = new Set(squatter.heard.map((text) => JSON.parse(text).method));
    methods.delete('$/cancel'); // of a hello that nobody answered
    assert.ok(methods.size === 0 || (methods.size === 1 && methods.has('agent.hello')), `${kind} heard ${[...methods]}`);
    documents += squatter.heard.filter((text) => text.includes(SECRET) || text.includes(Buffer.from(SECRET).toString('base64'))).length;
    assert.ok(squatter.connections > 0, 'somebody came at all');
    await squatter.end();
  }
  assert.ok(looks >= 100);
  t.diagnostic(`${refused} of ${looks} looks, ${refused} of ${looks} calls refused; ${documents} documents sent`);
  assert.deepEqual([refused, documents], [looks, 0]);
  assert.equal(await look(portal), 'ready ready websocket', 'and the real one is still known');
});

check('a program that speaks no HTTP looks to the browser as nobody, and gets nothing', async (t) => {
  const squatter = await squat(t, 'an echo of bytes');
  assert.equal(await look(portal, { port: squatter.port }), 'agent_not_running agent_not_running websocket');
});

check('another program on [::1] is never spoken to; one on both addresses is not_our_agent, 100 of 100', async (t) => {
  const six = await squat(t, 'another key', { host: '::1', port: agent.port });
  const states = (port) => on(portal, async (p) => {
    const seen = {};
    for (const { state } of await Promise.all(Array.from({ length: 100 }, () => Persten.detect({ port: p })))) seen[state] = (seen[state] ?? 0) + 1;
    return seen;
  }, port);
  const slowly = async (port) => { // at most 16 connections of a site at a time
    const seen = {};
    for (let i = 0; i < 10; i++) {
      const { state } = await on(portal, (p) => Persten.detect({ port: p }), port);
      seen[state] = (seen[state] ?? 0) + 1;
    }
    return seen;
  };
  assert.deepEqual(await slowly(agent.port), { ready: 10 });
  assert.equal(six.connections, 0);
  await agent.end();
  const four = await squat(t, 'another key', { port: agent.port });
  assert.deepEqual(await states(agent.port), { not_our_agent: 100 });
  t.diagnostic(`[::1]: ${six.connections} connections; 127.0.0.1: ${four.connections}, ${four.heard.length} of them heard agent.hello alone`);
  assert.equal(six.connections, 0);
  assert.ok(four.heard.every((text) => ['agent.hello', '$/cancel'].includes(JSON.parse(text).method)));
  await four.end();
  await six.end();
  await agent.start();
  assert.equal(await look(portal), 'ready ready websocket');
});

check('a reinstalled agent is another one until the person says so', async () => {
  await agent.end();
  await rm(path.join(agent.env.XDG_STATE_HOME, 'persten/agent.key'));
  await agent.start();
  assert.equal(await look(portal), 'not_our_agent not_our_agent websocket');
  await on(portal, () => Persten.forgetAgent());
  assert.equal(await look(portal), 'ready ready websocket');
});

check('a key that others can read stops the agent with a reason', async () => {
  const key = path.join(agent.env.XDG_STATE_HOME, 'persten/agent.key');
  await agent.end();
  chmodSync(key, 0o644);
  await assert.rejects(agent.start(), /agent_key_unsafe/);
  chmodSync(key, 0o600);
  await agent.start();
});

const notRoot = process.getuid?.() !== 0 && 'NOT RUN: a session of another user needs root';

check("another user's agent on the port", async (t) => {
  const theirs = await startForeign();
  t.after(theirs.end);
  assert.equal(await look(portal, { port: theirs.port }), 'other_user other_user websocket');
  assert.equal(await on(portal, (port) => Persten.connect({ port }).catch((e) => e.code), theirs.port), 'other_user');
}, notRoot);

/** A session of the user nobody. */
async function startForeign() {
  const dir = mkdtempSync('/tmp/persten-nobody-');
  chmodSync(dir, 0o755);
  copyFileSync(persten, path.join(dir, 'persten'));
  chmodSync(path.join(dir, 'persten'), 0o755);
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME']) {
    env[name] = path.join(dir, name.toLowerCase());
    mkdirSync(env[name], { mode: 0o700 });
    chownSync(env[name], 65534, 65534);
  }
  const port = await freePort();
  writeFileSync(path.join(dir, 'config.toml'), `[listen]\nwebsocket = "127.0.0.1:${port}"\n[origins]\nallow = ["${portal.origin}"]\n`);
  const session = spawn(path.join(dir, 'persten'), ['session', '--headless', '--config', path.join(dir, 'config.toml')], { env, uid: 65534, gid: 65534, cwd: '/', stdio: 'ignore' });
  await until(() => new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1', () => (s.destroy(), resolve(true))).once('error', () => resolve(false));
  }), "the other user's session");
  return { port, end: async () => {
    const ended = once(session, 'exit');
    session.kill();
    await ended;
    await rm(dir, { recursive: true });
  } };
}

check('with the extension: ready; what it teaches counts more than the port; and it is missed when it is gone', async (t) => {
  const dir = path.join(shop.dir, 'with');
  mkdirSync(dir);
  await registerHost(dir, `"${persten}"`);
  const start = (extension) => startChromium(dir, { extension, hosts: HOSTS, env: agent.env, args: ['--ignore-certificate-errors', ...open([portal]).args] });
  let browser = await start(await permitted(dir));
  t.after(() => browser.close());
  await browser.grantPermissions(['local-network-access'], { origin: portal.origin });
  const squatter = await squat(t, 'another key');
  assert.equal(await on(portal, (port) => Persten.detect({ port, transport: 'websocket' }).then((d) => d.state), squatter.port, { browser }), 'ready', 'the first one on the port is believed');
  assert.equal(await look(portal, { browser }), 'ready ready extension');
  assert.equal(JSON.parse(await pin(portal, { browser })).via, 'extension');
  assert.equal(await on(portal, (port) => Persten.detect({ port, transport: 'websocket' }).then((d) => d.state), squatter.port, { browser }), 'not_our_agent', 'and unmasked by the extension');
  await agent.local('agent.pause', { paused: true });
  assert.equal(await look(portal, { browser }), 'agent_paused agent_paused extension');
  await agent.local('agent.pause', { paused: false });
  await browser.close();
  browser = await start(false);
  await browser.grantPermissions(['local-network-access'], { origin: portal.origin });
  const gone = await startWebSocketAgent(portal.origin);
  await gone.end();
  assert.equal(await look(portal, { browser, port: gone.port }), 'extension_missing extension_missing websocket');
  assert.equal(await look(portal, { browser }), 'ready ready websocket', 'the other way still leads there');
});

check('the extension without an agent behind it', async (t) => {
  const dir = path.join(shop.dir, 'bare');
  mkdirSync(dir);
  const browser = await startChromium(dir, { program: uninstalled(dir, chromiumProgram), hosts: HOSTS, args: ['--ignore-certificate-errors', ...open([portal]).args] });
  t.after(() => browser.close());
  assert.equal(await look(portal, { browser }), 'not_installed agent_not_installed extension');
});

check('Firefox: asked first as well, then ready, another program, not running', async (t) => {
  const dir = path.join(shop.dir, 'firefox');
  mkdirSync(dir);
  const browser = await browsers.firefox.start(dir, { extension: false, hosts: HOSTS, publicPort: portal.port, env: { ...agent.env, HOME: dir } });
  t.after(() => browser.close());
  assert.equal(await look(portal, { browser }), 'blocked_by_browser browser_permission_needed websocket prompt');
  await insideFirefox(browser, `Services.perms.addFromPrincipal(Services.scriptSecurityManager.createContentPrincipalFromOrigin(${JSON.stringify(portal.origin)}), 'loopback-network', Services.perms.ALLOW_ACTION)`);
  assert.equal(await look(portal, { browser }), 'ready ready websocket');
  const squatter = await squat(t, 'another key');
  assert.equal(await look(portal, { browser, port: squatter.port }), 'not_our_agent not_our_agent websocket');
  assert.deepEqual([...new Set(squatter.heard.map((text) => JSON.parse(text).method))], ['agent.hello']);
  await squatter.end();
  assert.equal(await look(portal, { browser, port: squatter.port }), 'agent_not_running agent_not_running websocket');
}, browsers.firefox.missing);
