// SPDX-License-Identifier: GPL-3.0-or-later
// Finds words on a screen the way a person does: by reading it. Native windows show no tree of their buttons to other programs,
// and a guide is right only when what it names can be read where it says.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const env = { ...process.env, OMP_THREAD_LIMIT: '1' };
const SCALE = 3; // tesseract wants letters some 30 pixels high
const BAND = 150, STEP = 100; // bands overlap, so that a line is whole in one of them

/** What one reading of a picture finds: words with their place in the picture's own pixels, line by line. */
async function read(picture, top, mode, filters) {
  const scaled = `${picture}.${top}.${mode}.png`;
  const crop = mode === 6 ? ['-crop', `x${BAND}+0+${top}`, '+repage'] : [];
  await run('convert', [picture, ...crop, ...filters, '-resize', `${SCALE * 100}%`, scaled]);
  const { stdout } = await run('tesseract', [scaled, '-', '-l', 'rus+eng', '--psm', String(mode), 'tsv'], { env, maxBuffer: 1 << 24 });
  const lines = new Map();
  for (const row of stdout.split('\n').slice(1)) {
    const f = row.split('\t');
    if (f.length < 12 || !f[11].trim()) continue;
    const [left, y, width, height] = f.slice(6, 10).map((n) => Number(n) / SCALE);
    const key = f.slice(1, 5).join('.');
    lines.set(key, [...(lines.get(key) ?? []), { text: f[11], left, top: y + (mode === 6 ? top : 0), right: left + width, height }]);
  }
  return [...lines.values()];
}

/** Letters of both alphabets that look the same, and what readers mix up, become one. */
const same = { a: 'а', b: 'в', c: 'с', e: 'е', h: 'н', k: 'к', m: 'м', o: 'о', p: 'р', t: 'т', x: 'х', y: 'у', n: 'п', u: 'и', 'ё': 'е', '0': 'о', '3': 'з', i: '1', l: '1', '|': '1', r: 'г' };
const plain = (s) => [...s.toLowerCase()].map((c) => same[c] ?? c).filter((c) => /[\p{L}\p{N}]/u.test(c)).join('');

function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The places where the words stand, best first: a label by itself before words in a sentence. A fifth of the letters may be misread. */
export function places(lines, words) {
  const want = plain(words), found = [];
  for (const line of lines) {
    for (let i = 0; i < line.length; i++) {
      for (let j = i + 1; j <= line.length && j - i <= words.split(' ').length + 2; j++) {
        const some = line.slice(i, j);
        const off = distance(plain(some.map((w) => w.text).join('')), want);
        if (off > want.length / 5) continue;
        const near = [line[i - 1] && some[0].left - line[i - 1].right, line[j] && line[j].left - some.at(-1).right];
        const alone = near.every((gap) => gap === undefined || gap > 1.5 * some[0].height);
        found.push({ x: (some[0].left + some.at(-1).right) / 2, y: some[0].top + some[0].height / 2, off, alone });
      }
    }
  }
  return found.sort((a, b) => Number(b.alone) - Number(a.alone) || a.off - b.off);
}

/** Reads the screen until the words are there, in the area {left, top, width, height} of it. Returns where, or null. */
export async function find(desktop, words, area) {
  const dir = await mkdtemp(path.join(tmpdir(), 'screen-'));
  try {
    const picture = path.join(dir, 'screen.png');
    await run('import', ['-window', 'root', '-crop', `${area.width}x${area.height}+${area.left}+${area.top}`, '+repage', picture], { env: desktop.env });
    const passes = [() => read(picture, 0, 11, []), () => read(picture, 0, 11, ['-negate'])];
    const bare = ['-colorspace', 'Gray', '-threshold', '45%']; // frames and rings around buttons go, letters stay
    passes.push(() => read(picture, 0, 11, bare));
    for (let top = 0; top < area.height; top += STEP) passes.push(() => read(picture, top, 6, []));
    for (let top = 0; top < area.height; top += STEP) passes.push(() => read(picture, top, 6, bare));
    let seen = null;
    for (const pass of passes) {
      const [best] = places(await pass(), words);
      if (best && (!seen || best.alone)) seen = { x: Math.round(area.left + best.x), y: Math.round(area.top + best.y) };
      if (best?.alone) break;
    }
    return seen;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
