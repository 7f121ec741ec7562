// SPDX-License-Identifier: GPL-3.0-or-later
// Firefox ESR over WebDriver BiDi, with what chromium.mjs has for Chromium. A page is puppeteer's: newPage, goto, evaluate, $,
// click, waitForSelector, waitForFunction, frames, title and close are called as playwright's are.
import { accessSync, constants, realpathSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { chooseFace } from './chromium.mjs';
import { until } from './desktop.mjs';
import { root } from './load.mjs';

export const FIREFOX_EXTENSION = 'agent@persten.example';
export const firefox = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
/** Firefox gives each profile an address of its own for an extension; this one is set before the first start. */
export const FIREFOX_PAGES = 'moz-extension://8a4d1f0e-5b7c-4d2a-9e36-24117a35c0de';

/** Why Firefox cannot be driven here, or false. A snap sees neither the test's profile nor its native host. */
export function noFirefox() {
  try {
    accessSync(firefox, constants.X_OK);
    return /\/snap(\/|$)/.test(realpathSync(firefox)) && `NOT RUN: ${firefox} is a snap, which cannot see the test's files; set FIREFOX to another`;
  } catch {
    return `NOT RUN: no ${firefox}; install firefox-esr, or set FIREFOX to one that is not a snap`;
  }
}

const preferences = {
  'extensions.webextensions.uuids': JSON.stringify({ [FIREFOX_EXTENSION]: new URL(FIREFOX_PAGES).host }),
  'intl.accept_languages': 'ru-RU, ru',
  'browser.shell.checkDefaultBrowser': false,
  'app.normandy.enabled': false,
};

/**
 * Starts Firefox with the built extension, or the one unpacked at extension, or none, on a fresh profile under dir. Its native
 * host is that of env's HOME. hosts, publicPort and program mean what they mean to startChromium.
 */
export async function startFirefox(dir, { extension = true, headless = true, env = process.env, args = [], prefs = {}, hosts = [], publicPort, program = firefox } = {}) {
  const profile = path.join(dir, 'firefox');
  await mkdir(profile, { recursive: true });
  const browser = await puppeteer.launch({
    browser: 'firefox', executablePath: program, headless, userDataDir: profile, args: ['--no-remote', '--remote-allow-system-access', ...args], env, acceptInsecureCerts: true,
    defaultViewport: null, timeout: 60_000, protocolTimeout: 120_000,
    extraPrefsFirefox: {
      ...preferences, 'network.dns.localDomains': hosts.join(','),
      ...(publicPort && { 'network.lna.address_space.public.override': `127.0.0.1:${publicPort}` }), ...prefs,
    },
  });
  try {
    if (extension) await browser.installExtension(extension === true ? path.join(root, 'dist/firefox') : extension);
    return browser;
  } catch (e) {
    await browser.close(); // who gets no browser cannot end it
    throw e;
  }
}

/** Registers a native host in the home folder under dir, where startAgent has made one. */
export async function registerFirefoxHost(dir, command, allowed = [FIREFOX_EXTENSION]) {
  const hosts = path.join(dir, 'home/.mozilla/native-messaging-hosts');
  const script = path.join(dir, 'firefox-host');
  await mkdir(hosts, { recursive: true });
  await writeFile(script, `#!/bin/sh\nexec ${command} "$@"\n`);
  await chmod(script, 0o755);
  const manifest = { name: 'persten.agent', description: 'Persten', path: script, type: 'stdio', allowed_extensions: allowed };
  await writeFile(path.join(hosts, 'persten.agent.json'), JSON.stringify(manifest));
}

/** Opens a page of an extension. Firefox tells nobody when such a page has loaded. */
export async function openFirefoxPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(url, { waitUntil: [] });
  await until(() => page.evaluate((at) => location.href === at && document.readyState === 'complete', url).catch(() => false), url);
  return page;
}

/** Opens the extension's popup as a page. */
export const openFirefoxPopup = (browser) => openFirefoxPage(browser, `${FIREFOX_PAGES}/status/status.html`);

/** Turns a face on for a site, as the popup does. Firefox has given the permission for the site with the extension. */
export async function turnOnInFirefox(browser, origin, face) {
  const popup = await openFirefoxPopup(browser);
  await popup.evaluate(chooseFace, { site: `http://${new URL(origin).hostname}/*`, name: face });
  await popup.close();
}

/** Evaluates an expression in Firefox's own window, where a person's answers to it can be given; resolves to its value. */
export async function insideFirefox(browser, expression) {
  const { result: { contexts: [{ context }] } } = await browser.connection.send('browsingContext.getTree', { 'moz:scope': 'chrome' });
  const { result } = await browser.connection.send('script.evaluate', { expression, target: { context }, awaitPromise: true });
  if (result.type !== 'success') throw new Error(result.exceptionDetails.text);
  return result.result.value;
}
