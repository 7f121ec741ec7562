// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The object model of a plug-in, as its pages know it: every property and every method answers with a genuine Promise, a
 * property X is set by `propset_X`, and calls take effect in the order they were made, whether the page waits for them or not.
 *
 * An object is a class here. Its members whose names begin with a capital (and toString) are the page's; the rest is ours and
 * never leaves: the page gets a plain object of functions, and no way from there to what is behind it.
 */
export abstract class Remote {
  /** Ends when every call made so far has taken effect. */
  tail: Promise<unknown> = Promise.resolve();
}

type Work = (...args: unknown[]) => unknown;

/** One face's objects. What fails is handed to the page as translate says. */
export class Model {
  private readonly pages = new WeakMap<Remote, object>();
  private readonly remotes = new WeakMap<object, Remote>();
  private built = 0;

  constructor(private readonly translate: (e: unknown) => Error) {}

  /** What the page sees of a value: the page's object for one of ours, an ISO string for a date, anything else as it is. */
  show(v: unknown): unknown {
    if (v instanceof Date) return v.toISOString();
    return v instanceof Remote ? this.page(v) : v;
  }

  /** The page's object for one of ours; always the same one. */
  page(r: Remote): object {
    let page = this.pages.get(r);
    if (!page) {
      page = this.build(r);
      this.pages.set(r, page);
      this.remotes.set(page, r);
    }
    return page;
  }

  /** Runs work when the calls made before on these objects have taken effect. */
  run(on: readonly Remote[], work: () => unknown): Promise<unknown> {
    const ready = Promise.allSettled(on.map((r) => r.tail));
    const result = ready.then(work).then((v) => this.show(v), (e: unknown) => {
      throw this.translate(e);
    });
    const done = result.catch(() => undefined);
    for (const r of on) r.tail = done;
    return result;
  }

  private build(r: Remote): object {
    const page = { objid: ++this.built };
    for (const [name, d] of members(r)) {
      const { get, set, value } = d;
      if (get) this.define(page, name, { get: () => this.call(r, get, []) });
      if (set) this.define(page, `propset_${name}`, { value: (v: unknown) => this.call(r, set as Work, [v]) });
      if (typeof value === 'function') this.define(page, name, { value: (...args: unknown[]) => this.call(r, value as Work, args) });
    }
    return page;
  }

  private define(page: object, name: string, d: PropertyDescriptor): void {
    Object.defineProperty(page, name, { enumerable: true, configurable: true, ...d });
  }

  private call(r: Remote, f: Work, args: unknown[]): Promise<unknown> {
    const given = args.map((a) => this.take(a));
    return this.run([r, ...given.filter((a) => a instanceof Remote)], () => f.apply(r, given));
  }

  private take(v: unknown): unknown {
    if (typeof v !== 'object' || v === null) return v;
    return this.remotes.get(v) ?? v;
  }
}

/** The page's members of an object, those of its nearest class first. */
function members(r: Remote): Map<string, PropertyDescriptor> {
  const found = new Map<string, PropertyDescriptor>();
  for (let p: object = Object.getPrototypeOf(r); p !== Remote.prototype; p = Object.getPrototypeOf(p)) {
    for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(p))) {
      if ((/^[A-Z]/.test(name) || name === 'toString') && !found.has(name)) found.set(name, d);
    }
  }
  return found;
}
