// SPDX-License-Identifier: GPL-3.0-or-later
import { Remote } from '../model.js';
import { fault } from './errors.js';

/** A list as COM has them: counted from 1. */
export class List<T> extends Remote {
  constructor(protected readonly items: T[]) {
    super();
  }

  get Count(): number {
    return this.items.length;
  }

  /** What is in it, for us. */
  get all(): readonly T[] {
    return this.items;
  }

  Item(i: unknown): T {
    const found = this.items[Number(i) - 1];
    if (found === undefined) throw fault('parameter');
    return found;
  }
}

/** A list counted from 0, as those of certificate enrollment are. */
export class Indexed<T> extends Remote {
  constructor(protected items: T[] = []) {
    super();
  }

  get Count(): number {
    return this.items.length;
  }

  ItemByIndex(i: unknown): T {
    const found = this.items[Number(i)];
    if (found === undefined) throw fault('parameter');
    return found;
  }
}

/** A list the page may fill. */
export class OpenList<T> extends List<T> {
  constructor(private readonly fits: (v: unknown) => v is T, items: T[] = []) {
    super(items);
  }

  Add(v: unknown): void {
    if (!this.fits(v)) throw fault('parameter');
    this.items.push(v);
  }

  Remove(i: unknown): void {
    this.Item(i);
    this.items.splice(Number(i) - 1, 1);
  }

  Clear(): void {
    this.items.length = 0;
  }
}

/** Calls that are there for pages to find, and are not made yet. */
export function absent(...names: string[]): typeof Remote {
  abstract class Absent extends Remote {}
  for (const name of names) {
    Object.defineProperty(Absent.prototype, name, { value: () => { throw fault('notImplemented'); } });
  }
  return Absent;
}

/** An object that is nothing but some values. */
export function record(values: Record<string, unknown>): Remote {
  class Values extends Remote {}
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(Values.prototype, name, { get: () => value });
  }
  return new Values();
}
