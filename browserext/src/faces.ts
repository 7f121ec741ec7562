// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Faces: scripts that make this extension look to a page like a plug-in it was written for. Each is off until the person or
 * the machine's policy turns it on for a site, and works only where the person also gave the browser's permission for the site.
 */
export const FACES = { cades: 'compat/cades.js', rutoken: 'compat/rutoken.js', webeid: 'compat/webeid.js', hwcrypto: 'compat/hwcrypto.js' } as const;
export type FaceName = keyof typeof FACES;

/** Match patterns of sites and the faces that are on there. */
export type Choices = Record<string, FaceName[]>;

/** Name of the choices in the browser's storage, of this profile and of policy. */
const CHOICES = 'faces';

/** The parts of the browser this needs. */
export interface Browser {
  scripting: Pick<typeof chrome.scripting, 'getRegisteredContentScripts' | 'registerContentScripts' | 'unregisterContentScripts'>;
  permissions: { contains(p: { origins: string[] }): Promise<boolean> };
  local: { get(key: string): Promise<Record<string, unknown>>; set(items: Record<string, unknown>): Promise<void> };
  managed: { get(key: string): Promise<Record<string, unknown>> };
}

/** The match pattern of a site. Ports cannot be told apart in it, nor in the browser's permission. */
export function pattern(origin: string): string {
  const { protocol, hostname } = new URL(origin);
  return `${protocol}//${hostname}/*`;
}

/** Keeps what the browser injects the same as what was chosen. */
export class Faces {
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly browser: Browser) {}

  /** What is wanted for a site, and whether policy says so. */
  async of(site: string): Promise<{ on: FaceName[]; policy: FaceName[] }> {
    const [own, policy] = await Promise.all([this.chosen(this.browser.local), this.chosen(this.browser.managed)]);
    return { on: own[site] ?? [], policy: policy[site] ?? [] };
  }

  /** Keeps a choice. Without the browser's permission no face is on there, so what was chosen before is not brought along. */
  async choose(site: string, face: FaceName, on: boolean): Promise<void> {
    const [all, permitted] = await Promise.all([this.chosen(this.browser.local), this.permitted(site)]);
    const faces: FaceName[] = permitted ? (all[site] ?? []).filter((f) => f !== face) : [];
    if (on) faces.push(face);
    if (faces.length > 0) all[site] = faces;
    else delete all[site];
    await this.browser.local.set({ [CHOICES]: all });
  }

  /** Registers every face for the sites it is wanted on and permitted for. Calls run one after the other. */
  sync(): Promise<void> {
    this.last = this.last.then(() => this.register()).catch((e: unknown) => console.warn('faces', e));
    return this.last;
  }

  private async register(): Promise<void> {
    const wanted = await this.wanted();
    const there = await this.browser.scripting.getRegisteredContentScripts();
    for (const face of Object.keys(FACES) as FaceName[]) {
      const matches = wanted.get(face) ?? [];
      const before = there.find((s) => s.id === face)?.matches ?? [];
      if (same(before, matches)) continue;
      if (before.length > 0) await this.browser.scripting.unregisterContentScripts({ ids: [face] });
      if (matches.length === 0) continue;
      await this.browser.scripting.registerContentScripts([{
        id: face, js: [FACES[face]], matches, runAt: 'document_start', world: 'MAIN', allFrames: false, persistAcrossSessions: true,
      }]);
    }
  }

  private async wanted(): Promise<Map<FaceName, string[]>> {
    const all = await Promise.all([this.chosen(this.browser.local), this.chosen(this.browser.managed)]);
    const wanted = new Map<FaceName, string[]>();
    for (const [site, faces] of all.flatMap((c) => Object.entries(c))) {
      if (!(await this.permitted(site))) continue;
      for (const face of faces) wanted.set(face, [...new Set([...(wanted.get(face) ?? []), site])].sort());
    }
    return wanted;
  }

  /** What the browser cannot read as a site is not permitted. */
  private permitted(site: string): Promise<boolean> {
    return this.browser.permissions.contains({ origins: [site] }).catch(() => false);
  }

  /** Reads choices defensively: policy is written by hand. */
  private async chosen(from: { get(key: string): Promise<Record<string, unknown>> }): Promise<Choices> {
    const found = await from.get(CHOICES).then((r) => r[CHOICES], () => undefined); // no policy is an error in Firefox
    if (typeof found !== 'object' || found === null) return {};
    return Object.fromEntries(Object.entries(found).flatMap(([site, faces]) => {
      if (!/^https?:\/\/[^/*]+\/\*$/.test(site) || !Array.isArray(faces)) return [];
      return [[site, faces.filter((f): f is FaceName => typeof f === 'string' && Object.hasOwn(FACES, f))]];
    }));
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().every((v, i) => v === b[i]);
}
