// SPDX-License-Identifier: GPL-3.0-or-later
import { FACES, Faces, pattern, type FaceName } from '../faces.js';
import type { Page } from './site.js';
import { element, make, show } from './view.js';
import type { Words } from './words.js';

/** The switches for standing in for other plug-ins, on the site of this tab. */
export async function showFaces(page: Page | undefined, words: Words): Promise<void> {
  element('faces').hidden = !page;
  if (!page) return;
  const site = pattern(page.site);
  const { permissions, scripting, storage } = chrome;
  const all = new Faces({ scripting, permissions, local: storage.local, managed: storage.managed });
  const { on, policy } = await all.of(site);
  const permitted = await permissions.contains({ origins: [site] });
  const boxes = (Object.keys(FACES) as FaceName[]).map((face) => {
    const [label, box] = labelled(face, words);
    const byPolicy = policy.includes(face);
    box.checked = permitted && (byPolicy || on.includes(face));
    box.disabled = box.checked && byPolicy;
    // The choice is kept first: Firefox closes this popup when it asks for the permission, and the background then goes on alone.
    box.addEventListener('change', () => {
      if (!byPolicy) void all.choose(site, face, box.checked);
      if (box.checked) void permissions.request({ origins: [site] }).then((given) => (box.checked = given));
      show('reload', words('facesReload'));
    });
    return label;
  });
  element('faceList').replaceChildren(...boxes);
  show('facesNote', policy.length > 0 ? `${words('facesNote')} ${words('facesPolicy')}` : words('facesNote'));
  element('reload').onclick = () => void chrome.tabs.reload(page.tab);
}

/** A switch and its name, which are both faceCades for cades. */
function labelled(face: FaceName, words: Words): [HTMLElement, HTMLInputElement] {
  const label = make('label', '');
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.id = `face${face.charAt(0).toUpperCase()}${face.slice(1)}`;
  label.append(box, make('span', words(box.id)));
  return [label, box];
}
