// SPDX-License-Identifier: GPL-3.0-or-later
import { Agent } from '../agent.js';
import { rutokenPlugin } from './plugin.js';

/** Where pages look for the plug-in's adapter. */
const PLACE = 'C3B7563B-BF85-45B7-88FC-7CFF1BD3C2DB';

const agent = new Agent('persten-rutoken');
let loaded: object | undefined;
const ours = {
  initialize: () => Promise.resolve(),
  isPluginInstalled: () => agent.there(),
  loadPlugin: () => Promise.resolve((loaded ??= rutokenPlugin(agent))),
};

// The real adapter puts its object in the same place; whichever comes when, that one stays.
if (!(PLACE in window)) {
  Object.defineProperty(window, PLACE, {
    configurable: true, enumerable: true,
    get: () => ours,
    set: (value: unknown) => Object.defineProperty(window, PLACE, { configurable: true, enumerable: true, writable: true, value }),
  });
}
