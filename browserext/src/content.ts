// SPDX-License-Identifier: GPL-3.0-or-later
import { PAGE } from './pipe.js';
import { relay } from './relay.js';

relay(window, {
  version: chrome.runtime.getManifest().version,
  connect: () => chrome.runtime.connect({ name: PAGE }),
});
