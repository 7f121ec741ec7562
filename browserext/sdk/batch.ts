// SPDX-License-Identifier: MIT
import { drop, fromBase64, handOver, readContent, toSource, type TransferOptions } from './content.js';
import { PerstenError, reasonOf, type Lang } from './errors.js';
import type { Connection } from './rpc.js';
import type { Data } from './source.js';
import type { BatchContent, BatchItemParams, SignBatchParams, SignBatchResult } from '../src/proto.gen.js';

/** One document of a batch. */
export interface BatchDocument {
  data: Data;
  /** Your own name for it; no two are the same. */
  id?: string | undefined;
  /** Name as the person will see it; a File's own name by default. */
  name?: string | undefined;
  mime?: string | undefined;
}

export interface BatchOptions extends TransferOptions {
  /** Called with each document that is done, as soon as it is. */
  onItem?: ((item: BatchSigned) => void) | undefined;
  /** Called from time to time while documents are signed. */
  onCount?: ((done: number, total: number) => void) | undefined;
}

/** What became of one document: either signature or error is there. */
export interface BatchSigned {
  /** Place of the document in the batch, from 0. */
  index: number;
  id?: string | undefined;
  /** DER. */
  signature?: Uint8Array<ArrayBuffer> | undefined;
  signingTime?: Date | undefined;
  error?: PerstenError | undefined;
}

/** The account of a batch. */
export interface BatchAccount {
  certificate: string;
  signed: number;
  failed: number;
  /** Documents the batch did not come to. */
  notSigned: number;
  states: ('signed' | 'failed' | 'not_signed')[];
  /** What ended the batch before its last document. */
  stopped?: PerstenError | undefined;
  /** The documents that are done, in their order in the batch. */
  items: BatchSigned[];
}

/** Contents that together stay below this travel inside the request. */
const TOGETHER = 2 * 1024 * 1024;
const ALONE = 256 * 1024;

/**
 * Hands the documents over, has them signed and takes the signatures as they come. When the signal is aborted the batch stops,
 * and what was signed by then is in the account.
 */
export async function signBatch(
  c: Connection, lang: Lang, documents: readonly BatchDocument[], form: Omit<SignBatchParams, 'items'>, o: BatchOptions,
): Promise<BatchAccount> {
  const handles: string[] = [];
  try {
    const items = await handAll(c, documents, form.certificate, handles, o);
    const done: BatchSigned[] = [];
    let taking = Promise.resolve(); // one after the other, so that onItem hears of them in order
    const take = async (p: BatchItemParams): Promise<void> => {
      const one = await taken(c, lang, p);
      done.push(one);
      o.onItem?.(one);
    };
    let lost: unknown;
    const result: SignBatchResult = await c.callWhole('sign.batch', { ...form, items }, {
      ...o,
      onItem: (p) => {
        taking = taking.then(() => take(p)).catch((e: unknown) => {
          lost ??= e;
        });
      },
    });
    await taking;
    if (lost !== undefined) throw lost;
    return account(lang, result, done);
  } finally {
    for (const handle of handles) drop(c, handle);
  }
}

function account(lang: Lang, r: SignBatchResult, done: BatchSigned[]): BatchAccount {
  const stopped = r.stopped && new PerstenError({ ...r.stopped }, lang);
  done.sort((a, b) => a.index - b.index);
  return {
    certificate: r.certificate, signed: r.signed, failed: r.failed, notSigned: r.notSigned,
    states: r.items.map((i) => i.state), items: done, ...(stopped && { stopped }),
  };
}

async function taken(c: Connection, lang: Lang, p: BatchItemParams): Promise<BatchSigned> {
  const one: BatchSigned = { index: p.index };
  if (p.id !== undefined) one.id = p.id;
  if (p.signingTime !== undefined) one.signingTime = new Date(p.signingTime);
  if (p.signature?.inline !== undefined) one.signature = fromBase64(p.signature.inline);
  else if (p.signature) one.signature = await readContent(c, p.signature, {});
  if (p.error) one.error = new PerstenError(reasonOf({ data: p.error }), lang);
  return one;
}

/** Puts small documents into the request as long as there is room, and sends the others ahead. */
async function handAll(
  c: Connection, documents: readonly BatchDocument[], certificate: string | undefined, handles: string[], o: BatchOptions,
): Promise<SignBatchParams['items']> {
  const items: SignBatchParams['items'] = [];
  let room = TOGETHER;
  for (const d of documents) {
    const source = toSource(d.data);
    const name = d.name ?? (d.data instanceof File ? d.data.name : undefined);
    const mime = d.mime ?? (source.type || undefined);
    const described = { name: name ?? 'document', mime, certificate };
    const content = await handOver(c, source, described, o, (h) => void handles.push(h), Math.min(ALONE, room));
    if (content.inline !== undefined) room -= source.size;
    items.push({ content: content as BatchContent, ...(d.id && { id: d.id }), ...(name && { name }), ...(mime && { mime }) });
  }
  return items;
}
