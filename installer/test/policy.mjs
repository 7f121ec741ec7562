// SPDX-License-Identifier: GPL-3.0-or-later
// As an administrator does it: fills in the package's template of a policy for Chromium, with the extension whose update.xml is in
// PACKAGES and lies at URL, and prints it. policy.mjs TEMPLATE PACKAGES URL
import { readFile } from 'node:fs/promises';

const [template, packages, url] = process.argv.slice(2);
const [, id] = /appid="([a-p]{32})"/.exec(await readFile(`${packages}/update.xml`, 'utf8'));
const policy = JSON.parse(await readFile(template, 'utf8'));
policy.ExtensionInstallForcelist.push(`${id};${url}/update.xml`);
policy.DeveloperToolsAvailability = 1; // the test may look into what policy installed
console.log(JSON.stringify(policy));
