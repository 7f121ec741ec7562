// SPDX-License-Identifier: GPL-3.0-or-later
import { otherPlugins } from '../sdk/beside.js';
import { BESIDE, PAGE, WHERE } from './pipe.js';
import { relay } from './relay.js';

relay(window, {
  version: chrome.runtime.getManifest().version,
  connect: () => chrome.runtime.connect({ name: PAGE }),
});

// The popup may not see a tab's address nor its page, and asks here instead.
chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (sender.id !== chrome.runtime.id) return;
  if (message === WHERE) answer(location.origin);
  if (message === BESIDE) answer(otherPlugins());
});
