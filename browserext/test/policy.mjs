// SPDX-License-Identifier: GPL-3.0-or-later
// A machine's policy for one browser alone: a folder of the test stands in the place where the browser looks, in a mount namespace.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

/** Where Debian's Chromium and Firefox ESR look for policies. */
export const CHROMIUM_POLICIES = '/etc/chromium';
export const FIREFOX_POLICIES = '/usr/lib/firefox-esr/distribution';

/** Why no policy can be put in place for one browser, or false. */
export function noPolicy(folder) {
  try {
    execFileSync('unshare', ['-m', 'mount', '--bind', '/etc', '/etc'], { stdio: 'ignore' });
    return !existsSync(folder) && `NOT RUN: no ${folder}, where Debian's browser has its policies`;
  } catch {
    return 'NOT RUN: a machine policy for one browser needs root and a mount namespace of its own';
  }
}

/** The program of a Chromium that sees nothing which was installed for all users, or the plain one where no folder can be put in place. */
export function uninstalled(dir, program) {
  if (noPolicy(CHROMIUM_POLICIES)) return program;
  const etc = `${dir}/etc-chromium`;
  mkdirSync(etc, { recursive: true });
  return seeing(`${dir}/chromium`, etc, CHROMIUM_POLICIES, program);
}

/** Writes file, a program that runs another one, which sees the folder from in the place of to. Returns file. */
export function seeing(file, from, to, program) {
  writeFileSync(file, `#!/bin/sh\nexec unshare -m sh -c 'mount --bind "${from}" "${to}" && exec "${program}" "$@"' sh "$@"\n`, { mode: 0o755 });
  return file;
}
