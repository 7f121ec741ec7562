// SPDX-License-Identifier: GPL-3.0-or-later
// Follows the user guide to the letter: what it says to press is read on the screen and pressed, what it says to type is typed, what
// it says will be seen must be read. The guide's pictures are taken on the way. With PERSTEN_SCREENSHOTS they are kept.
//
//   **«words»** press        _«words»_ see        `words` type        <kbd>Key</kbd> press a key
//   ![...](../screenshots/NAME.png) take a picture            ```sh ...``` run a command
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { persten, perstenDesktop, startAgent } from './agent.mjs';
import { chromiumProgram, workshop } from './chromium.mjs';
import { pause, startDesktop, until } from './desktop.mjs';
import { root } from './load.mjs';
import { find } from './ocr.mjs';

const run = promisify(execFile);
const has = (program) => { try { execFileSync('sh', ['-c', `command -v ${program}`]); return true; } catch { return false; } };
const missing = [persten, perstenDesktop, chromiumProgram].filter((p) => !existsSync(p)).concat(has('tesseract') ? [] : ['tesseract']);
const skip = missing.length > 0 && `NOT RUN: ${missing.join(', ')} is missing`;
const shots = process.env.PERSTEN_SCREENSHOTS;
const folder = path.join(root, '../agent/guide');
const SCREEN = { left: 0, top: 0, width: 1280, height: 1024 };

/** The orders of a guide, in the order they are read, each with the line it stands in. */
export function orders(text) {
  const found = [];
  const order = /```sh\n([\s\S]*?)```|\*\*«([^»]+)»\*\*|_«([^»]+)»_|`([^`\n]+)`|<kbd>([^<]+)<\/kbd>|!\[[^\]]*\]\(\.\.\/screenshots\/([\w-]+)\.png\)/g;
  const names = ['run', 'press', 'see', 'type', 'key', 'picture'];
  for (const m of text.matchAll(order)) {
    const i = m.slice(1).findIndex((v) => v !== undefined);
    found.push({ what: names[i], words: m[i + 1].trim(), line: text.slice(0, m.index).split('\n').length });
  }
  return found;
}

/** The chapters of a guide; each begins at an empty desktop. */
export function chapters(text) {
  const found = [];
  let line = 1;
  for (const part of text.split(/^(?=## )/m)) {
    if (part.startsWith('## ')) found.push({ title: part.slice(3, part.indexOf('\n')), orders: orders(part).map((o) => ({ ...o, line: o.line + line - 1 })) });
    line += part.split('\n').length - 1;
  }
  return found;
}

/** Makes what the guide's reader has: a key in a file, one that is too old, and a contract. */
function documents(dir, home) {
  const downloads = path.join(home, 'Downloads');
  mkdirSync(downloads);
  const at = (name) => path.join(dir, name);
  const sh = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const leaf = (name, subject, from, to, password) => {
    sh('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-utf8', '-subj', subject);
    sh('ca', '-batch', '-notext', '-utf8', '-config', 'issue.cnf', '-in', `${name}.csr`, '-out', `${name}.pem`, '-startdate', from, '-enddate', to);
    sh('pkcs12', '-export', '-inkey', `${name}.key`, '-in', `${name}.pem`, '-certfile', 'ca.pem', '-out', path.join(downloads, `${name}.pfx`), '-passout', `pass:${password}`);
  };
  mkdirSync(at('issued'));
  writeFileSync(at('issued.txt'), '');
  writeFileSync(at('issue.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=issued.txt\nnew_certs_dir=issued\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncertificate=ca.pem\nprivate_key=ca.key\n'
    + 'x509_extensions=x\nemail_in_dn=no\nunique_subject=no\npreserve=yes\nstring_mask=utf8only\n[p]\ncommonName=supplied\norganizationName=optional\ntitle=optional\n[x]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n');
  const day = (n) => new Date(Date.now() + n * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2);
  leaf('buhgalter', '/CN=Демонстрационный Бухгалтер/O=Демонстрационная организация', day(-10), day(20), 'parol-2026');
  leaf('prezhnij', '/CN=Прежний Бухгалтер/O=Демонстрационная организация', day(-400), day(-35), 'parol-2025');
  writeFileSync(path.join(home, 'dogovor.pdf'), contract());
}

/** A PDF of one page, as simple as the standard lets it be. */
function contract() {
  const objects = ['<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 595]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>'];
  const text = 'BT /F 20 Tf 60 500 Td (Contract No. 4417) Tj 0 -40 Td /F 12 Tf (The Seller delivers, the Buyer pays.) Tj ET';
  objects.push(`<</Length ${text.length}>>\nstream\n${text}\nendstream`);
  let body = '%PDF-1.4\n';
  const offsets = objects.map((o, i) => { const at = body.length; body += `${i + 1} 0 obj\n${o}\nendobj\n`; return at; });
  const table = offsets.map((o) => `${String(o).padStart(10, '0')} 00000 n \n`).join('');
  return `${body}xref\n0 5\n0000000000 65535 f \n${table}trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n${body.length}\n%%EOF\n`;
}

/** Somebody at a desktop with a session, a browser with the portal, and the files the guide speaks of. */
class Reader {
  static async sit(lang) {
    const r = new Reader();
    r.shop = await workshop();
    r.desktop = await startDesktop();
    r.started = [];
    r.agent = await startAgent(r.shop.dir, { ...r.desktop.env, PERSTEN_LANG: lang }, [], { lang });
    r.env = { ...r.agent.env, PATH: `${path.dirname(perstenDesktop)}:${process.env.PATH}`, PERSTEN_LANG: lang };
    documents(r.shop.dir, r.agent.env.HOME);
    await r.agent.end(); // this reader has no token
    rmSync(path.join(r.shop.dir, 'tokens'), { recursive: true });
    mkdirSync(path.join(r.shop.dir, 'tokens'));
    await r.agent.start();
    return r;
  }

  async leave() {
    await this.home();
    await this.agent.end();
    await this.desktop.end();
    await this.shop.end();
  }

  /** Persten's window in front: a question before the main window. */
  async front() {
    const named = await Promise.all((await this.desktop.windows()).map(async (id) => ({ id, title: await this.desktop.xdotool('getwindowname', id).catch(() => '') })));
    return named.find((w) => w.title.startsWith('Persten:')) ?? named[0];
  }

  /** Where to read: Persten's window in front, else the whole screen. */
  async area() {
    const w = await this.front();
    return w ? this.inside(w.id) : SCREEN;
  }

  /** What of a window is on the screen. */
  async inside(id) {
    const told = (await run('xwininfo', ['-id', id], { env: this.desktop.env })).stdout;
    const g = Object.fromEntries([...told.matchAll(/(Absolute upper-left X|Absolute upper-left Y|Width|Height): +(-?\d+)/g)].map((m) => [m[1], Number(m[2])]));
    const left = Math.max(0, g['Absolute upper-left X']), top = Math.max(0, g['Absolute upper-left Y']);
    return { left, top, width: Math.min(g.Width, SCREEN.width - left), height: Math.min(g.Height, SCREEN.height - top) };
  }

  async see(words) {
    return until(async () => find(this.desktop, words, await this.area()), `«${words}» on the screen`, 60_000);
  }

  async press(words) {
    const there = await this.see(words);
    await this.desktop.xdotool('mousemove', String(there.x), String(there.y));
    await pause(900); // a window that has just appeared takes no orders
    await this.desktop.xdotool('click', '1');
    await pause(700);
  }

  async type(words) {
    await pause(2_500); // for the window to be there, and to listen
    await this.desktop.xdotool('type', '--delay', '60', words);
  }

  async key(name) {
    await this.desktop.key({ Enter: 'Return' }[name] ?? name);
    await pause(500);
  }

  /** A command of the guide; it ends with its chapter. */
  async run(line) {
    const [program, ...args] = line.split(' ');
    this.started.push(spawn(program, args, { env: this.env, stdio: ['ignore', 'ignore', 'inherit'], detached: true }));
    await until(async () => (await this.desktop.xdotool('search', '--onlyvisible', '--name', '.').catch(() => '')) !== '', 'a window', 40_000);
    await pause(3_000);
  }

  async picture(name) {
    await pause(600);
    if (!shots) return;
    const { left, top, width, height } = await this.inside((await this.front())?.id ?? await this.desktop.xdotool('getactivewindow'));
    const small = ['+dither', '-colors', '64', '-strip', '-define', 'png:compression-level=9', `png8:${path.join(shots, `${name}.png`)}`];
    await run('import', ['-window', 'root', '-crop', `${width}x${height}+${left}+${top}`, '+repage', ...small], { env: this.desktop.env });
  }

  /** Clears the desktop. */
  async home() {
    for (const c of this.started) if (c.exitCode === null) process.kill(-c.pid);
    this.started = [];
    await until(async () => (await this.desktop.windows()).length === 0, 'an empty desktop', 15_000);
  }
}

for (const lang of ['ru', 'en']) {
  const guide = path.join(folder, `${lang}.md`);
  test(`the guide in ${lang}, step by step`, { skip: skip || (!existsSync(guide) && 'no such guide'), timeout: 900_000 }, async (t) => {
    const reader = await Reader.sit(lang);
    t.after(() => reader.leave());
    for (const { title, orders: list } of chapters(readFileSync(guide, 'utf8')).filter(({ title }) => title.startsWith(process.env.CHAPTER ?? ''))) {
      await t.test(title, async () => {
        for (const { what, words, line } of list) {
          await reader[what](words).catch(async (e) => {
            await reader.desktop.shot(`guide-${lang}-${line}`);
            throw new Error(`${path.basename(guide)}:${line}: ${what} ${words}: ${e.message}`);
          });
        }
        await reader.home();
      });
    }
  });
}

test('a guide is read in order', () => {
  const [one] = chapters('# T\n\n## A\n1. Press **«b»**, type `c`, <kbd>Enter</kbd>.\n   _«d»_ ![e](../screenshots/f.png)\n');
  assert.deepEqual(one.orders.map((o) => [o.what, o.words, o.line]), [['press', 'b', 4], ['type', 'c', 4], ['key', 'Enter', 4], ['see', 'd', 5], ['picture', 'f', 5]]);
});
