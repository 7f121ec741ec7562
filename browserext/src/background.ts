// SPDX-License-Identifier: GPL-3.0-or-later
import { callerOf, popupCaller } from './caller.js';
import { Channels, refuse } from './channels.js';
import { Faces } from './faces.js';
import { Link } from './link.js';
import { PAGE, STATUS } from './pipe.js';
import { Sites } from './sites.js';

const { permissions, runtime, scripting, storage } = chrome;

const channels = new Channels(
  new Link({
    connectNative: (name) => runtime.connectNative(name),
    lastError: () => runtime.lastError?.message,
    now: () => Date.now(),
    setTimeout: (f, ms) => self.setTimeout(f, ms),
    clearTimeout: (timer) => self.clearTimeout(timer),
  }),
  new Sites(storage.session),
);

runtime.onConnect.addListener((port) => {
  const caller = port.name === STATUS
    ? popupCaller(port.sender, runtime.id, runtime.getURL(''))
    : port.name === PAGE ? callerOf(port.sender, runtime.id) : undefined;
  if (caller) channels.accept(port, caller);
  else refuse(port, { code: 'origin_not_allowed' });
});

// Registrations outlive the browser but not an update of the extension, and permissions may be taken back in the browser's settings.
const faces = new Faces({ scripting, permissions, local: storage.local, managed: storage.managed });
const sync = (): void => void faces.sync();
for (const event of [runtime.onInstalled, runtime.onStartup, permissions.onAdded, permissions.onRemoved]) {
  (event as chrome.events.Event<() => void>).addListener(sync);
}
// What sites asked lately is kept for the session, with every request; it is no choice of a face.
storage.onChanged.addListener((_, area) => {
  if (area !== 'session') sync();
});
