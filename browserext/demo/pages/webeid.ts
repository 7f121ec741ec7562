// SPDX-License-Identifier: MIT

/** What sites made for Web eID do: messages to their own window, each with an acknowledgement first. */
import { base64, sha256, show, within } from '../face.js';

type Answer = Record<string, unknown> & { action: string; error?: { code: string; message: string } };

/** Asks, and waits for the answer; undefined when nobody says within a second that it was heard. */
async function ask(action: string, args: Record<string, unknown> = {}): Promise<Answer | undefined> {
  const heard = listen([`${action}-ack`]);
  const answered = listen([`${action}-success`, `${action}-failure`]);
  window.postMessage({ action, libraryVersion: '2.1.0', ...args }, location.origin);
  const there = await within(1_000, heard.answer);
  heard.stop();
  if (!there) {
    answered.stop();
    return undefined;
  }
  const answer = await answered.answer;
  if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  return answer;
}

function listen(actions: string[]): { answer: Promise<Answer>; stop: () => void } {
  const stop = new AbortController();
  const answer = new Promise<Answer>((resolve) => {
    window.addEventListener('message', ({ source, data }: MessageEvent<Answer | undefined>) => {
      if (source !== window || !data || !actions.includes(data.action)) return;
      stop.abort();
      resolve(data);
    }, { signal: stop.signal });
  });
  return { answer, stop: () => stop.abort() };
}

async function needed(action: string, args?: Record<string, unknown>): Promise<Answer> {
  const answer = await ask(action, args);
  if (!answer) throw new Error('ERR_WEBEID_EXTENSION_UNAVAILABLE');
  return answer;
}

const plain = ({ action, ...rest }: Answer): string => JSON.stringify(rest, null, 2);

show({
  how: 'howFace',
  async find() {
    const answer = await ask('web-eid:status');
    return answer && plain(answer);
  },
  async sign(text) {
    const { certificate } = await needed('web-eid:get-signing-certificate', { options: { lang: document.documentElement.lang } });
    return plain(await needed('web-eid:sign', { certificate, hash: base64(await sha256(text)), hashFunction: 'SHA-256' }));
  },
  async login() {
    const challengeNonce = base64(crypto.getRandomValues(new Uint8Array(32)).buffer);
    return plain(await needed('web-eid:authenticate', { challengeNonce, options: { lang: document.documentElement.lang } }));
  },
});
