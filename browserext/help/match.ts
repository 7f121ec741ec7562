// SPDX-License-Identifier: MIT

/** Finds what is known of a message, a code or a complaint. It does what internal/doctor does in Go (match.go tells why); the
 * phrases in internal/doctor/testdata hold both to the same answers. */
export interface Entry {
  id: string;
  /** Of two that fit as well, the greater goes first. */
  kind: number;
  codes: string[];
  /** Words that mean it by themselves. */
  terms: string[];
  phrases: string[];
}

const longest = 60;
const maxQuery = 4096;
const alike = 0.5;
const inflected = 0.92;
const likely = 0.56;
const decided = 0.58;
const informed = 1.3;
const beside = 0.75;

interface Phrase {
  entry: number;
  words: number[];
}

/** Words that the vocabulary has for one that was asked, and how surely it is each of them. */
type Near = Map<number, number>;

export class Knowledge {
  #entries: Entry[];
  #phrases: Phrase[] = [];
  #codes = new Map<string, number>();
  #number = new Map<string, number>();
  #vocab: string[] = [];
  #sizes: number[] = [];
  #grams = new Map<string, number[]>();
  #weight: number[];

  constructor(entries: Entry[]) {
    this.#entries = entries;
    const seen: number[] = [];
    entries.forEach((entry, n) => {
      for (const c of entry.codes) if (!this.#codes.has(c)) this.#codes.set(c, n);
      for (const phrase of entry.phrases) {
        const list = words(phrase).map((w) => this.#number.get(w) ?? this.#learn(w));
        for (const w of new Set(list)) seen[w] = (seen[w] ?? 0) + 1;
        this.#phrases.push({ entry: n, words: list });
      }
    });
    const greatest = Math.log(1 + this.#phrases.length);
    this.#weight = this.#vocab.map((w, n) => (Math.log(1 + this.#phrases.length / (seen[n] ?? 1)) / greatest) * (length(w) < 3 ? 0.3 : 1));
  }

  #learn(word: string): number {
    const n = this.#vocab.push(word) - 1;
    this.#number.set(word, n);
    const grams = trigrams(word);
    this.#sizes.push(grams.size);
    for (const g of grams) this.#grams.set(g, [...(this.#grams.get(g) ?? []), n]);
    return n;
  }

  /** The ids of the entries that a query is about, the likeliest first; none rather than what only sounds alike. */
  find(text: string): string[] {
    const query = text.slice(0, maxQuery);
    const score = this.#likeness(query).map((s) => (s >= likely ? s : 0));
    codesIn(query).forEach((code, i) => {
      const n = this.#codes.get(code);
      if (n !== undefined) score[n] = Math.max(score[n] ?? 0, 2 - Math.min(i, 9) / 10);
    });
    const found = score.map((s, n) => ({ s, n })).filter(({ s }) => s > 0);
    found.sort((a, b) => b.s - a.s);
    return found.filter(({ s }) => s >= beside * found[0]!.s).map(({ n }) => this.#entries[n]!.id);
  }

  #likeness(query: string): number[] {
    const asked = words(query).slice(0, longest);
    const near = asked.map((w) => this.#near(w));
    const best: Near = new Map();
    for (const all of near) for (const [n, s] of all) best.set(n, Math.max(best.get(n) ?? 0, s));
    const strange = asked.map((w, i) => this.#strangeness(w, near[i]!));
    const score = this.#entries.map(() => 0);
    for (const p of this.#phrases) {
      const s = this.#score(p.words, near, best, strange) * this.#entries[p.entry]!.kind;
      score[p.entry] = Math.max(score[p.entry]!, s);
    }
    const said = new Set(words(query));
    return score.map((s, n) => (this.#entries[n]!.terms.some((t) => said.has(t)) ? Math.max(s, decided + s / 4) : s));
  }

  #score(phrase: number[], near: Near[], best: Near, strange: number[]): number {
    let all = 0;
    let hit = 0;
    for (const n of phrase) {
      all += this.#weight[n]!;
      hit += this.#weight[n]! * (best.get(n) ?? 0);
    }
    if (hit === 0) return 0;
    let wanted = 0;
    let found = 0;
    near.forEach((one, i) => {
      wanted += strange[i]!;
      found += strange[i]! * Math.max(0, ...phrase.map((n) => one.get(n) ?? 0));
    });
    const whole = hit / all;
    const part = found / wanted;
    const score = (2 * whole * part) / (whole + part);
    if (hit < informed) return score;
    return Math.max(score, 0.88 * part * Math.sqrt(Math.min(1, whole + 0.4)), 0.85 * whole * Math.sqrt(Math.min(1, part + 0.45)));
  }

  #strangeness(word: string, near: Near): number {
    let s = 0;
    let weight = 1;
    for (const [n, v] of near) if (v > s || (v === s && this.#weight[n]! < weight)) [s, weight] = [v, this.#weight[n]!];
    return s === 0 && length(word) < 3 ? 0.1 : weight;
  }

  #near(word: string): Near {
    const out: Near = new Map();
    const known = this.#number.get(word);
    if (known !== undefined) out.set(known, 1);
    if (length(word) <= 3) return out;
    const grams = trigrams(word);
    const shared = new Map<number, number>();
    for (const g of grams) for (const n of this.#grams.get(g) ?? []) shared.set(n, (shared.get(n) ?? 0) + 1);
    for (const [n, both] of shared) {
      if (length(this.#vocab[n]!) <= 3) continue;
      let s = (2 * both) / (grams.size + this.#sizes[n]!);
      if (oneBeginning(word, this.#vocab[n]!)) s = Math.max(s, inflected);
      if (s >= alike) out.set(n, Math.max(out.get(n) ?? 0, s));
    }
    return out;
  }
}

const length = (s: string): number => [...s].length;

function oneBeginning(a: string, b: string): boolean {
  const [x, y] = [[...a], [...b]];
  let n = 0;
  while (n < Math.min(x.length, y.length) && x[n] === y[n]) n++;
  return n >= 4 && x.length - n <= 3 && y.length - n <= 3;
}

function trigrams(word: string): Set<string> {
  const r = [...`^${word}$`];
  const out = new Set<string>();
  for (let i = 0; i + 3 <= r.length; i++) out.add(r.slice(i, i + 3).join(''));
  return out;
}

const latin = 'abcehkmoptxy';
const russian = 'авсенкмортху';

function swap(s: string, from: string, to: string): string {
  return [...s].map((c) => to[from.indexOf(c)] ?? c).join('');
}

/** Lower case, ё as е, Latin letters in a Russian word as the Russian ones they look like. */
function words(s: string): string[] {
  const all = s.toLowerCase().replaceAll('ё', 'е').match(/[\p{L}\p{Nd}]+/gu) ?? [];
  return all.map((w) => (/\p{Script=Cyrillic}/u.test(w) ? swap(w, latin, russian) : w));
}

const numbered = /(?:error|err?|code|ошибк[аиу]|код[а-я]*|ер|№|#)[^\p{L}\d]{0,3}(?:(?:code|код|№|ошибки|error|er)[^\p{L}\d]{0,3})*(\d{2,6})(?:[^\d\p{L}]|$)/gu;

/** The codes in what a person typed, whatever way they are spelled. */
function codesIn(query: string): string[] {
  const low = query.toLowerCase();
  const plain = swap(low, russian, latin);
  const out: string[] = [];
  for (const [m] of plain.matchAll(/[a-z0-9]+(?:[_-][a-z0-9]+)+/g)) {
    const name = m.replaceAll('-', '_');
    out.push(name, name.toUpperCase(), name.replaceAll('_', '-'));
  }
  for (const m of plain.replaceAll('ox', '0x').matchAll(/(?:\b0x|\b)([0-9a-f]{8})\b/g)) out.push(`0x${m[1]!.toUpperCase()}`);
  for (const m of low.matchAll(/-(\d{9,10})\b/g)) {
    const n = -Number(m[1]);
    if (n >= -0x80000000) out.push(`0x${(n >>> 0).toString(16).toUpperCase().padStart(8, '0')}`);
  }
  for (const m of low.matchAll(numbered)) out.push(m[1]!);
  const alone = /^[^\w]*(\d{2,6})[^\w]*$/.exec(low);
  if (alone) out.push(alone[1]!);
  return [...out, low.trim()];
}
