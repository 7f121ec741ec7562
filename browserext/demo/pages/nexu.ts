// SPDX-License-Identifier: MIT

/** What portals built on EU DSS do with NexU: three requests over http on this computer. */
import { base64, show, within, type Owned } from '../face.js';

const ADDRESS = 'http://127.0.0.1:9795';

interface Chosen { tokenId: { id: string }; keyId: string; certificate: string }
interface Answer<T> { success: boolean; response?: T; error?: string; errorMessage?: string }

let chosen: Chosen | undefined;

async function post<T>(path: string, body: object): Promise<T> {
  const sent = await fetch(ADDRESS + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await sent.json() as Answer<T>;
  if (!answer.success || !answer.response) throw new Error([answer.error, answer.errorMessage].filter(Boolean).join(': '));
  return answer.response;
}

async function list(): Promise<Owned[]> {
  chosen = await post<Chosen>('/rest/certificates', {});
  return [{ id: chosen.keyId, name: chosen.keyId }];
}

show({
  how: 'howCompat',
  list,
  async find() {
    const info = await within(5_000, fetch(`${ADDRESS}/nexu-info`).then((a) => a.json() as Promise<{ version: string }>, () => undefined));
    return info?.version;
  },
  async sign(text) {
    if (!chosen) await list();
    const { tokenId, keyId } = chosen!;
    const request = { tokenId, keyId, toBeSigned: { bytes: base64(text) }, digestAlgorithm: 'SHA256' };
    return (await post<{ signatureValue: string }>('/rest/sign', request)).signatureValue;
  },
});
