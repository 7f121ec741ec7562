// SPDX-License-Identifier: MIT

/** What a portal learns of a certificate: its fields one by one, whether it is good now, and whose it is. */
import { matches } from '../../sdk/index.js';
import { chainOf } from '../findings.js';
import { find, make, t } from '../page.js';
import { portal, start } from '../portal.js';

/** What is no news to a person: bytes, and what has a place of its own. */
const APART = ['der', 'chain', 'token', 'sha256'];

function rows(): HTMLElement[] {
  const chosen = portal.certificates.find((c) => c.id === portal.certificate);
  const fields = Object.entries(chosen ?? {}).filter(([name]) => !APART.includes(name));
  return fields.map(([name, value]) => {
    const head = make('th', 'name', name);
    head.setAttribute('scope', 'row');
    return make('tr', '', head, make('td', '', typeof value === 'object' ? JSON.stringify(value) : String(value)));
  });
}

let shown: string | undefined;
function update(): void {
  find('rows').replaceChildren(...rows());
  find<HTMLButtonElement>('check').disabled = !portal.ready;
  if (shown !== portal.certificate) find('checked').replaceChildren();
  shown = portal.certificate;
  compare();
}

/** The members of a certificate that the form asks for, by the ids of its fields. */
const FORM = { formName: 'name', formOrganization: 'organization', formInn: 'inn', formSnils: 'snils' } as const;

/** Says whether the certificate is of whom the form names; an empty form names nobody. */
function compare(): void {
  const certificate = portal.certificates.find((c) => c.id === portal.certificate);
  const holder = Object.fromEntries(Object.entries(FORM).map(([id, member]) => [member, find<HTMLInputElement>(id).value.trim()]));
  const said = certificate !== undefined && Object.values(holder).some(Boolean);
  const same = said && matches(certificate, holder);
  find('compared').className = same ? 'valid' : 'invalid';
  find('compared').textContent = said ? t(same ? 'matchesYes' : 'matchesNo') : '';
}

async function check(): Promise<void> {
  const certificate = portal.certificate;
  if (!certificate) return;
  await portal.run(async (signal, agent) => {
    const s = await agent.checkCertificate(certificate, { signal });
    const good = s.indication === 'TOTAL_PASSED';
    const look = good ? 'valid' : s.indication === 'TOTAL_FAILED' ? 'invalid' : 'unsure';
    const words = [make('p', look, s.text ?? t('good'))];
    if (s.next) words.push(make('p', 'advice', make('b', '', `${t('whatToDo')} `), s.next));
    find('checked').replaceChildren(make('div', 'finding', ...words, ...(s.chain ? [chainOf(s.chain)] : [])));
  });
}

find('check').addEventListener('click', () => void check());
for (const id of Object.keys(FORM)) find(id).addEventListener('input', compare);
void start({ update, retell: compare });
