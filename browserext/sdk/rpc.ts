// SPDX-License-Identifier: MIT
import type { BatchItemParams, Methods, PageMethod, Step } from '../src/proto.gen.js';
import { PerstenError, reasonOf, type Lang } from './errors.js';
import type { Transport } from './transport.js';
import { isObject, MESSAGE_LIMIT, parseObject, type Reason } from './wire.js';

/** What a page may call. */
export type Method = PageMethod;
export type Params<M extends Method> = Methods[M]['params'];
export type Result<M extends Method> = Methods[M]['result'];

export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((step: Step) => void) | undefined;
}

/** How a request is made that answers with its account also when it is aborted. */
export interface WholeOptions extends CallOptions {
  onItem?: ((item: BatchItemParams) => void) | undefined;
  onCount?: ((done: number, total: number) => void) | undefined;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  onProgress?: ((step: Step) => void) | undefined;
  onItem?: ((item: BatchItemParams) => void) | undefined;
  onCount?: ((done: number, total: number) => void) | undefined;
}

/** Hears what the agent tells of a document on its way. */
export interface Watcher {
  received(size: number): void;
  failed(error: PerstenError): void;
}

/** The steps this library knows; an agent that is newer may name others, which are passed over. */
const steps: Record<Step, true> = { waiting: true, insert: true, token: true, signing: true, timestamp: true, checking: true };
const isStep = (step: unknown): step is Step => typeof step === 'string' && Object.hasOwn(steps, step);

/** JSON-RPC 2.0 over one transport: ids, progress, cancellation. A lost transport rejects everything that waits. */
export class Connection {
  /** Called with every notification that is not about a call or a document on its way. */
  onnotification: (method: string, params: Record<string, unknown>) => void = () => undefined;
  /** Called once when the transport ends by itself. */
  onclose: (reason: Reason) => void = () => undefined;
  private readonly pending = new Map<number, Pending>();
  private readonly watchers = new Map<string, Watcher>();
  private last = 0;
  private ended: Reason | undefined;

  constructor(private readonly transport: Transport, private readonly lang: Lang) {
    transport.onmessage = (text) => this.receive(text);
    transport.onclose = (reason) => this.lost(reason);
  }

  get kind(): Transport['kind'] {
    return this.transport.kind;
  }

  get alive(): boolean {
    return this.ended === undefined;
  }

  call<M extends Method>(method: M, params: Params<M>, o: CallOptions = {}): Promise<Result<M>> {
    return this.request(method, params, o) as Promise<Result<M>>;
  }

  /** Sends bytes; only where content.open named a stream. */
  sendBinary(message: Blob): void {
    this.transport.sendBinary?.(message);
  }

  /** Watches a document until the returned function is called. */
  watch(handle: string, w: Watcher): () => void {
    if (this.ended) w.failed(new PerstenError(this.ended, this.lang));
    this.watchers.set(handle, w);
    return () => this.watchers.delete(handle);
  }

  /** Like call, but an abort only asks the agent to stop: the answer is waited for, and tells what was done by then. */
  callWhole<M extends Method>(method: M, params: Params<M>, o: WholeOptions = {}): Promise<Result<M>> {
    return this.request(method, params, o, true) as Promise<Result<M>>;
  }

  close(): void {
    if (this.ended) return;
    this.transport.close();
    this.fail({ code: 'request_cancelled' });
  }

  private request(method: string, params: unknown, o: WholeOptions, whole = false): Promise<unknown> {
    if (this.ended) return Promise.reject(new PerstenError(this.ended, this.lang));
    if (o.signal?.aborted) return Promise.reject(o.signal.reason);
    const id = ++this.last;
    const text = JSON.stringify({ jsonrpc: '2.0', id, method, params });
    if (text.length > MESSAGE_LIMIT) {
      const args = { limit: String(MESSAGE_LIMIT) };
      return Promise.reject(new PerstenError({ code: 'request_too_large', args }, this.lang));
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => (whole ? this.tellCancel(id) : this.cancel(id, o.signal?.reason));
      const settle = (): void => o.signal?.removeEventListener('abort', abort);
      this.pending.set(id, {
        resolve: (v) => (settle(), resolve(v)),
        reject: (e) => (settle(), reject(e)),
        onProgress: o.onProgress,
        onItem: o.onItem,
        onCount: o.onCount,
      });
      o.signal?.addEventListener('abort', abort, { once: true });
      this.transport.send(text);
    });
  }

  private cancel(id: number, reason: unknown): void {
    const p = this.pending.get(id);
    if (!p) return;
    this.pending.delete(id);
    this.tellCancel(id);
    p.reject(reason);
  }

  private tellCancel(id: number): void {
    this.transport.send(JSON.stringify({ jsonrpc: '2.0', method: '$/cancel', params: { id } }));
  }

  private receive(text: string): void {
    const m = parseObject(text);
    if (!m) return;
    if (typeof m['method'] === 'string') {
      if (m['id'] === undefined) this.notified(m['method'], isObject(m['params']) ? m['params'] : {});
      return;
    }
    const p = typeof m['id'] === 'number' ? this.pending.get(m['id']) : undefined;
    if (!p) return;
    this.pending.delete(m['id'] as number);
    if ('error' in m) p.reject(new PerstenError(reasonOf(m['error']), this.lang));
    else p.resolve(m['result']);
  }

  private notified(method: string, params: Record<string, unknown>): void {
    if (method === 'batch.item' && typeof params['request'] === 'number') {
      this.pending.get(params['request'])?.onItem?.(params as unknown as BatchItemParams);
      return;
    }
    const watcher = this.watchers.get(String(params['handle']));
    if (method === 'content.received' && typeof params['size'] === 'number') watcher?.received(params['size']);
    else if (method === 'content.failed') watcher?.failed(new PerstenError(reasonOf({ data: params['problem'] }), this.lang));
    else this.noticed(method, params);
  }

  private noticed(method: string, params: Record<string, unknown>): void {
    if (method !== 'progress') {
      this.onnotification(method, params);
      return;
    }
    const { request, step, done, total } = params;
    if (typeof request === 'number' && typeof total === 'number' && total > 0) {
      this.pending.get(request)?.onCount?.(typeof done === 'number' ? done : 0, total);
      return;
    }
    if (typeof request !== 'number' || !isStep(step)) return;
    this.pending.get(request)?.onProgress?.(step);
  }

  private lost(reason: Reason): void {
    this.fail(reason);
    this.onclose(reason);
  }

  private fail(reason: Reason): void {
    this.ended = reason;
    for (const p of this.pending.values()) p.reject(new PerstenError(reason, this.lang));
    for (const w of this.watchers.values()) w.failed(new PerstenError(reason, this.lang));
    this.pending.clear();
  }
}
