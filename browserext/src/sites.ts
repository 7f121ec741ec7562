// SPDX-License-Identifier: GPL-3.0-or-later
import type { SiteAnswer } from './pipe.js';

/** The part of chrome.storage this needs. */
export interface Memory {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
  remove(key: string): Promise<void>;
}

/**
 * What the agent last said about the site in each tab, for the popup. Kept in the browser's session storage: the service
 * worker may be stopped at any time, and nothing of this is to survive the browser.
 */
export class Sites {
  constructor(private readonly memory: Memory) {}

  async of(tab: number): Promise<SiteAnswer> {
    const found = (await this.memory.get(key(tab)))[key(tab)];
    return (found as SiteAnswer | undefined) ?? { state: 'unasked' };
  }

  note(tab: number, answer: SiteAnswer): void {
    void this.memory.set({ [key(tab)]: answer });
  }

  forget(tab: number): void {
    void this.memory.remove(key(tab));
  }
}

function key(tab: number): string {
  return `site:${tab}`;
}
