// SPDX-License-Identifier: GPL-3.0-or-later
import { PAGE, WHERE } from './pipe.js';
import { relay } from './relay.js';

relay(window, {
  version: chrome.runtime.getManifest().version,
  connect: () => chrome.runtime.connect({ name: PAGE }),
});

// The popup may not see the address of a tab, and asks here instead.
chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (sender.id === chrome.runtime.id && message === WHERE) answer(location.origin);
});
