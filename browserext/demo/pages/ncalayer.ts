// SPDX-License-Identifier: MIT

/** What sites made for NCALayer do: one WebSocket on this computer, a greeting, and calls that are answered in turn. */
import { base64, show, within } from '../face.js';

const ADDRESS = 'wss://127.0.0.1:13579/';

interface Answer { status?: boolean; code?: string; message?: string; body?: { result?: string[] } }

/** Opens the connection and takes the greeting, which has the version. */
function open(): Promise<{ socket: WebSocket; version: string } | undefined> {
  const socket = new WebSocket(ADDRESS);
  const greeted = new Promise<{ socket: WebSocket; version: string } | undefined>((resolve) => {
    socket.addEventListener('error', () => resolve(undefined));
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      const { result } = JSON.parse(data) as { result?: { version?: string } };
      resolve({ socket, version: result?.version ?? '' });
    }, { once: true });
  });
  return within(5_000, greeted);
}

async function call(request: object): Promise<Answer> {
  const opened = await open();
  if (!opened) throw new Error(ADDRESS);
  const { socket } = opened;
  const answer = new Promise<Answer>((resolve, reject) => {
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => resolve(JSON.parse(data) as Answer));
    socket.addEventListener('close', () => reject(new Error(ADDRESS)));
  });
  socket.send(JSON.stringify(request));
  return answer.finally(() => socket.close());
}

show({
  how: 'howCompat',
  async find() {
    const opened = await open();
    opened?.socket.close();
    return opened?.version;
  },
  async sign(text) {
    const args = {
      allowedStorages: null, format: 'cms', data: base64(text), signingParams: { decode: true, encapsulate: false, digested: false },
      signerParams: { extKeyUsageOids: [] }, locale: document.documentElement.lang,
    };
    const answer = await call({ module: 'kz.gov.pki.knca.basics', method: 'sign', args });
    if (answer.status !== true) throw new Error([answer.code, answer.message].filter(Boolean).join(': '));
    return answer.body?.result?.join('\n') ?? '—';
  },
});
