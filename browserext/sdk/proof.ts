// SPDX-License-Identifier: MIT
import { fromBase64, toBase64 } from './base64.js';
import { isObject, parseObject } from './wire.js';
import type { Transport } from './transport.js';

/** Where this site keeps which agent it met. */
const KEPT = 'persten.agent';

/** The agent this site met: its public key (SPKI, base64), and the surest way by which it was met. */
export interface Pin {
  key: string;
  via: Transport['kind'];
}

/** What an agent's answer to a challenge shows. `unproven`: nothing. `other`: it is sound, and by a key this site does not know. */
export type Recognition = 'known' | 'other' | 'unproven';

/** 32 fresh random octets. */
export function newChallenge(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Checks the proof in an answer to agent.hello and remembers the agent's key. What the browser itself started behind the
 * extension is the agent, whatever this site knew before; over the WebSocket, where any program may answer, the first agent is
 * believed and from then on only that one.
 */
export async function recognise(agent: unknown, challenge: string, via: Transport['kind']): Promise<Recognition> {
  if (!isObject(agent) || typeof agent['key'] !== 'string' || typeof agent['proof'] !== 'string') return 'unproven';
  const { key, proof } = agent as { key: string; proof: string };
  if (!(await proves(key, proof, `persten agent v1\n${location.origin}\n${challenge}`))) return 'unproven';
  const known = metAgent();
  if (via === 'websocket' && known && known.key !== key) return 'other';
  keep({ key, via: via === 'extension' ? via : known?.via ?? via });
  return 'known';
}

async function proves(key: string, proof: string, text: string): Promise<boolean> {
  try {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const imported = await crypto.subtle.importKey('spki', fromBase64(key), algorithm, false, ['verify']);
    return await crypto.subtle.verify(algorithm, imported, fromBase64(proof), new TextEncoder().encode(text));
  } catch {
    return false; // not base64, or not a key of this curve
  }
}

/** The agent this site met, if it met one and the browser lets sites keep anything. */
export function metAgent(): Pin | undefined {
  try {
    const pin = parseObject(localStorage.getItem(KEPT));
    const { key, via } = pin ?? {};
    return typeof key === 'string' && (via === 'extension' || via === 'websocket') ? { key, via } : undefined;
  } catch {
    return undefined;
  }
}

function keep(pin: Pin): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(pin));
  } catch {
    // Without a place to keep it every agent is met for the first time.
  }
}

/**
 * Forgets which agent this site met, so that the next one is believed. For after `not_our_agent`, and only when the person
 * has confirmed that they reinstalled Persten.
 */
export function forgetAgent(): void {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // Nothing is kept here.
  }
}
