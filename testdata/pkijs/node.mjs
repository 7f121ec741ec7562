// SPDX-License-Identifier: GPL-3.0-or-later

// Ends with 0 when this node runs pkijs (engines of package-lock.json: ^20.19.0 || >=22.12.0), else says why not.
const [major, minor] = process.versions.node.split('.').map(Number);
if (!((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22)) {
  console.error(`pkijs needs node 20.19 or later (of 22: 22.12 or later); this is node ${process.versions.node}`);
  process.exit(1);
}
