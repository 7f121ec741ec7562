// SPDX-License-Identifier: MIT

/** Every method of the protocol that a page may call, as a form made from the protocol's own description. */
import type { Certificate } from '../../sdk/index.js';
import type { Methods, PageMethod } from '../../src/proto.gen.js';
import { FORMS, type Field, type Form } from '../methods.gen.js';
import { find, make, t } from '../page.js';
import { notes, portal, start } from '../portal.js';

/** A field that does not hold what its kind wants. */
class BadField extends Error {}

/** What earlier answers had, by name: the next call wants the handle or the signature of the one before. */
const earlier = new Map<string, unknown>();

const method = find<HTMLSelectElement>('method');
const form = (): Form => FORMS.find((f) => f.name === method.value) ?? FORMS[0]!;
const input = (f: Field): HTMLInputElement => find<HTMLInputElement>(`p-${f.name}`);

function showForm(): void {
  const { summary, fields } = form();
  find('summary').textContent = summary;
  find('none').hidden = fields.length > 0;
  find('result').hidden = true;
  find('fields').replaceChildren(...fields.map(fieldOf));
  for (const f of fields) input(f).value = shown(f, starting(f));
  history.replaceState(null, '', `#${method.value}`);
  showSnippet();
}

/** What a field begins with: the chosen certificate, an earlier answer, or the example. */
function starting(f: Field): unknown {
  const example = form().example[f.name];
  if (f.name === 'certificate') return f.required ? portal.certificates.find((c) => c.usable)?.id ?? example : undefined;
  return example === undefined ? undefined : earlier.get(f.name) ?? example;
}

function shown(f: Field, value: unknown): string {
  if (value === undefined) return '';
  return f.kind === 'json' ? JSON.stringify(value, null, 2) : String(value);
}

function fieldOf(f: Field): HTMLElement {
  const control = controlOf(f);
  control.id = `p-${f.name}`;
  control.addEventListener('input', showSnippet);
  const label = make('label', '', make('span', 'name', f.name));
  (label as HTMLLabelElement).htmlFor = control.id;
  if (f.required) label.append(make('span', 'need', `, ${t('required')}`));
  const box = make('div', 'field', label, control);
  if (f.doc) {
    const hint = make('small', 'hint', f.doc);
    [hint.id, hint.lang] = [`${control.id}-doc`, 'en'];
    control.setAttribute('aria-describedby', hint.id);
    box.append(hint);
  }
  return box;
}

function controlOf(f: Field): HTMLElement {
  const values = f.name === 'certificate' && portal.certificates.length > 0 ? portal.certificates.map((c) => [c.id, titleOf(c)] as const)
    : f.kind === 'boolean' ? ['true', 'false'].map((v) => [v, v] as const) : f.values?.map((v) => [v, v] as const);
  if (values) return choice(f.required ? values : [['', t('notSent')], ...values]);
  const control = document.createElement(f.kind === 'json' ? 'textarea' : 'input');
  if (control instanceof HTMLInputElement) control.type = f.kind === 'integer' ? 'number' : 'text';
  else [control.rows, control.className] = [4, 'code'];
  control.spellcheck = false;
  return control;
}

function choice(values: readonly (readonly [string, string])[]): HTMLElement {
  return make('select', '', ...values.map(([value, text]) => new Option(text, value)));
}

const titleOf = (c: Certificate): string => `${c.name}, ${c.key}`;

/** The parameters as they stand in the form; empty fields are left out. */
function params(): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const f of form().fields) {
    const text = input(f).value;
    if (text !== '') out[f.name] = valueOf(f, text);
  }
  return out;
}

function valueOf(f: Field, text: string): unknown {
  if (f.kind === 'text' || f.kind === 'choice') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadField(f.name);
  }
}

function showSnippet(): void {
  let written: string;
  try {
    written = JSON.stringify(params(), null, 2);
  } catch {
    written = '{ … }';
  }
  find('snippet').textContent = `import { connect } from '@persten/sdk';\n\nconst persten = await connect();\n`
    + `const result = await persten.call('${method.value}', ${written});`;
}

async function call(): Promise<void> {
  const name = method.value as PageMethod;
  let given: Record<string, unknown>;
  try {
    given = params();
  } catch (e) {
    notes.clear();
    notes.showError({ code: 'field', what: t('badField', { field: (e as Error).message }), next: t('badFieldNext') });
    return;
  }
  await portal.run(async (signal, agent) => {
    const began = performance.now();
    const result = await agent.call(name, given as Methods[PageMethod]['params'], { signal, onProgress: (step) => notes.showProgress(step) });
    find('took').textContent = t('took', { ms: (performance.now() - began).toFixed(1) });
    find('answer').textContent = JSON.stringify(result, null, 2);
    for (const [key, value] of Object.entries(result)) earlier.set(key, value);
    find('result').hidden = false;
    find('result').focus();
  });
}

async function copy(button: HTMLElement, from: string): Promise<void> {
  await navigator.clipboard.writeText(find(from).textContent ?? '');
  button.textContent = t('copied');
  setTimeout(() => (button.textContent = t('copy')), 2_000);
}

let listed = '';
function update(): void {
  find<HTMLButtonElement>('call').disabled = !portal.persten || portal.busy;
  const list = portal.certificates.map((c) => c.id).join();
  if (list !== listed) showForm(); // the choice of certificates is another one
  listed = list;
}

method.append(...FORMS.map((f) => new Option(f.name, f.name)));
const wanted = location.hash.slice(1);
if (FORMS.some((f) => f.name === wanted)) method.value = wanted;
method.addEventListener('change', () => {
  notes.clear();
  showForm();
});
find('call').addEventListener('click', () => void call());
for (const [id, from] of [['copyAnswer', 'answer'], ['copySnippet', 'snippet']] as const) {
  find(id).addEventListener('click', () => void copy(find(id), from));
}
void start({ update, retell: showForm });
