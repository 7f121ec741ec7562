// SPDX-License-Identifier: GPL-3.0-or-later
// A display with a window manager, and a person at it: xdotool finds Persten's window, types into it and presses keys.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until f gives something true, and returns it. */
export async function until(f, what, ms = 20_000) {
  for (const end = Date.now() + ms; Date.now() < end; await pause(100)) {
    const v = await f();
    if (v) return v;
  }
  throw new Error(`timed out: ${what}`);
}

export async function startDesktop() {
  // Without -noreset the server starts anew when its only client leaves, and xdotool may be that before the window manager comes.
  const xvfb = spawn('Xvfb', ['-displayfd', '3', '-noreset', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const [number] = await once(xvfb.stdio[3], 'data');
  const env = { ...process.env, DISPLAY: `:${String(number).trim()}`, LC_ALL: 'C.UTF-8' };
  delete env.WAYLAND_DISPLAY;
  const desktop = new Desktop(env, [spawn('openbox', { env, stdio: 'ignore' }), xvfb]);
  try {
    await until(() => desktop.xdotool('get_num_desktops').then(() => true, () => false), 'the window manager');
  } catch (e) {
    await desktop.end();
    throw e;
  }
  return desktop;
}

class Desktop {
  constructor(env, children) {
    this.env = env;
    this.children = children;
  }

  async xdotool(...args) {
    return (await run('xdotool', args, { env: this.env, timeout: 10_000 })).stdout.trim();
  }

  /** Gives a window the keyboard, if it is still there. With --sync xdotool waits for ever when the window has it already. */
  async activate(id) {
    await this.xdotool('windowactivate', id).catch(() => '');
  }

  /** Ids of Persten's windows on the screen. */
  async windows() {
    const found = await this.xdotool('search', '--onlyvisible', '--name', '^Persten').catch(() => '');
    return found.split('\n').filter(Boolean);
  }

  /**
   * Waits for a prompt, and until its buttons are alive: they are dead for 700 ms so that nobody approves by accident. On a busy
   * machine the first picture comes later than the window; how busy it is, xdotool's own time tells.
   */
  async prompt(ms) {
    const [id] = await until(async () => {
      const ids = await this.windows();
      return ids.length > 0 && ids;
    }, 'a Persten window', ms);
    const from = Date.now();
    await this.activate(id);
    await pause(1_600 + 6 * (Date.now() - from));
    return id;
  }

  async titles() {
    return Promise.all((await this.windows()).map((id) => this.xdotool('getwindowname', id).catch(() => '')));
  }

  /** Waits for a prompt with this title. */
  async titled(title) {
    await until(async () => (await this.titles()).some((t) => title.test(t)), `a window ${title}`);
    return this.prompt();
  }

  /** Types a PIN into the prompt with this title, again if the window was still deaf: on a busy machine it is drawn late. */
  async answer(title, pin, shot) {
    await this.titled(title);
    await this.shot(shot);
    const asks = async () => (await this.titles()).some((t) => title.test(t));
    for (let tries = 0; tries < 5 && await asks(); tries++) {
      await this.enter(pin);
      await until(async () => !(await asks()), 'the PIN to be taken', 4_000).catch(() => undefined);
    }
    if (await asks()) throw new Error(`the window ${title} takes no PIN`);
  }

  /** Chooses the certificate at this place of the list, by the arrow keys: Enter marks it, Enter again confirms. */
  async choose(index, shot) {
    const title = /Выберите сертификат/;
    await this.titled(title);
    await pause(800); // the window is deaf at first
    for (const key of [...Array(8).fill('Up'), ...Array(index).fill('Down')]) { // up from the one that was chosen here last
      await this.key(key);
      await pause(150);
    }
    await pause(300);
    await this.key('Return');
    await pause(600);
    await this.shot(shot);
    await until(async () => {
      if (!(await this.titles()).some((t) => title.test(t))) return true;
      await this.activate((await this.windows())[0]);
      await this.key('Return');
      await pause(600);
      return false;
    }, 'the choice to be taken');
  }

  /** Waits for the window to say in its title how it ended, and returns that title. */
  outcome() {
    return until(async () => {
      for (const id of await this.windows()) {
        const title = await this.xdotool('getwindowname', id).catch(() => '');
        if (/^Persten: Подпись (не )?создана$/.test(title)) return title;
      }
      return undefined;
    }, 'the outcome in the title of the Persten window', 5_000);
  }

  /** Presses Escape, which rejects a question and closes an outcome, or another key, until no window is left. */
  async dismiss(key = 'Escape') {
    await until(async () => {
      const [id] = await this.windows();
      if (id === undefined) return true;
      await this.activate(id);
      await this.key(key);
      await pause(500);
      return false;
    }, 'the Persten window to close');
  }

  /** Presses the last button of the window, which agrees, until taken says so: a busy machine draws late, and the window is deaf at first. */
  async agree(taken) {
    for (let tries = 0; tries < 5 && !(await taken()); tries++) {
      await this.#pressLast().catch(() => undefined); // the window may go at any moment
      await until(taken, 'the yes to be taken', 4_000).catch(() => undefined);
    }
  }

  async #pressLast() {
    const [id] = await this.windows();
    const at = await this.xdotool('getwindowgeometry', '--shell', id);
    const { X, Y, WIDTH, HEIGHT } = Object.fromEntries(at.split('\n').map((l) => l.split('=')));
    await this.click({ x: Number(X) + Number(WIDTH) - 70, y: Number(Y) + Number(HEIGHT) - 40 });
  }

  /** Waits for the windows to close by themselves. */
  async gone() {
    await until(async () => (await this.windows()).length === 0, 'the Persten window to close');
  }

  /** Types a PIN and presses Enter, which signs. */
  async enter(pin) {
    await this.xdotool('type', '--delay', '40', pin);
    await this.xdotool('key', 'Return');
  }

  /**
   * Types a PIN once more when the window still asks after some seconds: on a very busy machine it may have been deaf all the
   * while, and then has taken none of the keys.
   */
  async insist(pin) {
    const title = async () => {
      const [id] = await this.windows();
      return id && this.xdotool('getwindowname', id).catch(() => undefined);
    };
    const asking = await title();
    for (let tries = 0; tries < 3; tries++) {
      await this.enter(pin);
      for (let waited = 0; waited < 15_000; waited += 500) {
        await pause(500);
        if ((await title()) !== asking) return;
      }
    }
  }

  key(name) {
    return this.xdotool('key', name);
  }

  /** Presses Escape, which rejects what the window asks, again if the window was still deaf. */
  async reject() {
    const title = async (id) => this.xdotool('getwindowname', id).catch(() => undefined);
    const [id] = await this.windows();
    const asking = await title(id);
    for (let tries = 0; tries < 5 && (await this.windows()).includes(id) && await title(id) === asking; tries++) {
      await this.activate(id);
      await this.key('Escape');
      await until(async () => await title(id) !== asking, 'the no to be heard', 4_000).catch(() => undefined);
    }
  }

  /** Looks at the screen below y for buttons of a colour side by side, and returns the middle of each, from left to right. */
  async buttons(colour, y) {
    const [width, least] = [1280, 40];
    await this.xdotool('mousemove', '0', '1000'); // a button under the mouse has another colour
    const picture = await run('import', ['-window', 'root', '-depth', '8', 'rgb:-'], { env: this.env, encoding: 'buffer', maxBuffer: 64 << 20 });
    const rows = [];
    for (let at = y; at < picture.stdout.length / 3 / width; at++) {
      const runs = [];
      for (let x = 0, from = 0; x <= width; x++) {
        const same = x < width && picture.stdout.readUIntBE((at * width + x) * 3, 3) === colour;
        if (!same && x - from >= least) runs.push((from + x) >> 1);
        if (!same) from = x + 1;
      }
      if (runs.length > 1) rows.push({ at, runs });
    }
    if (rows.length === 0) return [];
    const middle = (rows[0].at + rows.at(-1).at) >> 1;
    return rows[0].runs.map((x) => ({ x, y: middle }));
  }

  /** Moves the mouse there and clicks. */
  click({ x, y }) {
    return this.xdotool('mousemove', String(x), String(y), 'click', '1');
  }

  /** A picture of the whole screen, when SHOTS names a folder. */
  async shot(name) {
    if (process.env.SHOTS) await run('import', ['-window', 'root', `${process.env.SHOTS}/${name}.png`], { env: this.env });
  }

  async end() {
    for (const c of this.children) {
      const ended = c.exitCode === null && c.signalCode === null ? once(c, 'exit') : undefined;
      c.kill();
      await ended;
    }
  }
}
