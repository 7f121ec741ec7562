// SPDX-License-Identifier: GPL-3.0-or-later

/** What the agent last said about a site; `unasked` when none of its pages has called. */
export type Standing = 'unasked' | 'allowed' | 'unknown' | 'denied';

/** A request that was answered. `outcome` is `ok` or the error's code; `frame` is the site that asked when it was a frame's. */
export interface Request {
  at: number;
  method: string;
  outcome: string;
  frame?: string;
}

/** One site as the popup shows it: its standing, the last requests of its pages, and the sites of frames inside them. */
export interface Site {
  standing: Standing;
  requests: Request[];
  frames: string[];
}

/** Something learnt about the site in the address bar, or about a frame inside it. */
export type Note = { site: string; standing: Standing } | { site: string; request: Request } | { site: string; frame: string };

/** The part of chrome.storage this needs. */
export interface Memory {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
}

const KEY = 'sites';
/** Sites kept, and how much of each. */
const SITES = 64;
const REQUESTS = 5;
const FRAMES = 4;

/**
 * What sites did with the agent lately, for the popup. Kept in the browser's session storage: the service worker may be stopped
 * at any time, and nothing of this is to survive the browser.
 */
export class Sites {
  private waiting: Note[] = [];
  private writing = false;

  constructor(private readonly memory: Memory) {}

  async of(site: string): Promise<Site> {
    return (await this.read())[site] ?? blank();
  }

  /** Keeps a note soon. Notes that come while one is written wait and go together, so that a busy page costs one write at a time. */
  note(note: Note): void {
    this.waiting.push(note);
    if (!this.writing) void this.write();
  }

  private async write(): Promise<void> {
    this.writing = true;
    while (this.waiting.length > 0) {
      const all = await this.read();
      for (const note of this.waiting.splice(0)) add(all, note);
      await this.memory.set({ [KEY]: all }).catch(() => undefined); // only the popup misses it
    }
    this.writing = false;
  }

  private async read(): Promise<Record<string, Site>> {
    return this.memory.get(KEY).then((found) => (found[KEY] ?? {}) as Record<string, Site>, () => ({}));
  }
}

function blank(): Site {
  return { standing: 'unasked', requests: [], frames: [] };
}

/** Adds a note to its site, which becomes the newest; the oldest beyond the limit are forgotten. */
function add(all: Record<string, Site>, note: Note): void {
  const site = all[note.site] ?? blank();
  delete all[note.site];
  all[note.site] = site;
  if ('standing' in note) site.standing = note.standing;
  if ('request' in note) site.requests = [note.request, ...site.requests].slice(0, REQUESTS);
  if ('frame' in note && !site.frames.includes(note.frame)) site.frames = [note.frame, ...site.frames].slice(0, FRAMES);
  for (const old of Object.keys(all).slice(0, -SITES)) delete all[old];
}
