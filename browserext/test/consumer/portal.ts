// SPDX-License-Identifier: MIT
// What a portal in TypeScript writes. It is compiled against the packed package, not run.
import {
  connect, detect, forgetAgent, matches, PerstenError,
  type Certificate, type Detected, type Method, type Params, type Persten, type Result, type SignedCms, type State,
} from '@persten/sdk';

/** Every method of the protocol that pages may call, each with its own types. */
export const everyMethod = (p: Persten): { [M in Method]: (params: Params<M>, signal: AbortSignal) => Promise<Result<M>> } => {
  const of = <M extends Method>(m: M) => (params: Params<M>, signal: AbortSignal): Promise<Result<M>> => p.call(m, params, { signal });
  return new Proxy({} as never, { get: (_, m: Method) => of(m) });
};

const words: Record<State, string> = {
  ready: '', not_installed: '', extension_missing: '', agent_not_running: '', agent_paused: '', blocked_by_browser: '', insecure_page: '',
  origin_not_allowed: '', not_our_agent: '', other_user: '', version_too_old: '',
};

export async function sign(file: File, signal: AbortSignal): Promise<SignedCms | undefined> {
  const found: Detected = await detect({ signal, needs: ['sign.cms'] });
  if (found.state === 'not_our_agent' && confirm(words[found.state])) forgetAgent();
  try {
    const persten = await connect({ signal, lang: 'ru', onPermission: async () => alert('?'), onWaiting: (code) => console.log(code) });
    const certificate = (await persten.certificates({ signal })).find((c: Certificate) => c.usable && matches(c, { inn: '770700000012', name: 'Ё' }));
    if (!certificate) return undefined;
    await persten.verifyXml({ text: '<a/>' }, { signal });
    const bytes: Uint8Array<ArrayBuffer> = (await persten.signXml({ text: '<a/>' }, { certificate, signal })).document;
    await persten.signBatch([{ data: bytes }, { data: file.stream() }], { certificate, signal });
    const made = await persten.signCms(file, { certificate, signal, onTransfer: ({ sent, total }) => console.log(sent, total) });
    const { digest, digestAlg, size }: { digest: string; digestAlg: string; size: number } = made;
    console.log(digest, digestAlg, size);
    return made;
  } catch (e) {
    if (e instanceof PerstenError) console.log(e.code, e.text, e.advice, e.args['attempts']);
    throw e;
  }
}

export async function mistakes(p: Persten, certificate: Certificate): Promise<void> {
  // @ts-expect-error: a string that may be base64 is not text
  await p.signCms('0KLQtdC60YHRgg==', { certificate });
  // @ts-expect-error: a method for programs on the computer
  await p.call('agent.pause', { paused: true });
  // @ts-expect-error: a number is compared as text
  matches(certificate, { inn: 770700000012 });
  // @ts-expect-error: no such member
  matches(certificate, { pin: '1' });
}
