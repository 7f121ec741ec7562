// SPDX-License-Identifier: GPL-3.0-or-later

/** Who is calling, as the browser says. Travels to the agent in every envelope; nothing a page says gets in here. */
export interface Caller {
  origin: string;
  top: string;
  frame: string;
  extension: string;
}

/** Reads the caller from a port's sender; undefined when the browser leaves any doubt. */
export function callerOf(sender: chrome.runtime.MessageSender | undefined, extension: string): Caller | undefined {
  if (!sender || sender.id !== extension || !sender.tab || sender.frameId === undefined) return undefined;
  if (sender.documentLifecycle !== undefined && sender.documentLifecycle !== 'active') return undefined;
  const origin = agreed(sender.origin, originOf(sender.url));
  if (origin === undefined || !isPage(origin)) return undefined;
  const top = sender.frameId === 0 ? origin : originOf(sender.tab.url);
  if (top === undefined) return undefined;
  return { origin, top, frame: String(sender.frameId), extension };
}

/** The extension's own popup: named by the extension's origin, which is no site. */
export function popupCaller(sender: chrome.runtime.MessageSender | undefined, extension: string, base: string): Caller | undefined {
  const origin = base.replace(/\/$/, '');
  if (!sender || sender.id !== extension || !sender.url?.startsWith(`${base}status/`)) return undefined;
  if (sender.origin !== undefined && sender.origin !== origin) return undefined;
  return { origin, top: origin, frame: '0', extension };
}

function agreed(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || a === b ? b : undefined;
}

function originOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  try {
    const { origin } = new URL(url);
    return origin === 'null' ? undefined : origin;
  } catch {
    return undefined;
  }
}

/** The pages the manifest matches: https anywhere, http on this computer. */
function isPage(origin: string): boolean {
  const u = new URL(origin);
  return u.protocol === 'https:' || (u.protocol === 'http:' && (u.hostname === '127.0.0.1' || u.hostname === 'localhost'));
}
