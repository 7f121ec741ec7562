// SPDX-License-Identifier: GPL-3.0-or-later
import { otherPlugins } from '../sdk/beside.js';
import { BESIDE, PAGE, WHERE } from './pipe.js';
import { relay } from './relay.js';

/** The ids that the native host lets in: of the key in manifest/chrome.json, and of manifest/firefox.json. */
const KNOWN = ['ldofnahphfbbgmklgggghnhbadlgdgmj', 'agent@persten.example'];

relay(window, {
  known: KNOWN.includes(chrome.runtime.id),
  version: chrome.runtime.getManifest().version,
  connect: () => chrome.runtime.connect({ name: PAGE }),
});

// The popup may not see a tab's address nor its page, and asks the page's own frame instead.
if (window === window.top) {
  chrome.runtime.onMessage.addListener((message, sender, answer) => {
    if (sender.id !== chrome.runtime.id) return;
    if (message === WHERE) answer(location.origin);
    if (message === BESIDE) answer(otherPlugins());
  });
}
