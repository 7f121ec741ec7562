// SPDX-License-Identifier: GPL-3.0-or-later
// The browsers of the tests behind one face, so that a test written once runs in each: chromium.mjs by playwright, firefox.mjs by
// puppeteer. Their pages agree in newPage, goto, evaluate (of one argument), click, waitForSelector, frames, title, url and close.
import { EXTENSION, registerHost, startChromium, turnOn } from './chromium.mjs';
import { FIREFOX_EXTENSION, noFirefox, registerFirefoxHost, startFirefox, turnOnInFirefox } from './firefox.mjs';

/** What a browser can be asked, by its kind. missing says why its tests cannot run here, or is false. */
export const browsers = {
  chromium: {
    name: 'Chromium', extension: EXTENSION, missing: false, registerHost, turnOn,
    start: (dir, o = {}) => startChromium(dir, { ...o, args: ['--ignore-certificate-errors', ...(o.args ?? [])] }),
  },
  firefox: {
    name: 'Firefox ESR', extension: FIREFOX_EXTENSION, missing: noFirefox(), registerHost: registerFirefoxHost, turnOn: turnOnInFirefox, start: startFirefox,
  },
};
