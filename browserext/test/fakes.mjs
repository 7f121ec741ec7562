// SPDX-License-Identifier: GPL-3.0-or-later

/** Waits until everything queued has been delivered. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A window as far as messages and discovery go. */
export class FakeWindow {
  posted = [];
  listeners = new Map();
  constructor(origin = 'https://portal.example') {
    this.location = { origin };
    this.origin = origin;
  }
  addEventListener(type, f) {
    this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(f));
  }
  removeEventListener(type, f) {
    this.listeners.get(type)?.delete(f);
  }
  emit(type, event) {
    for (const f of [...(this.listeners.get(type) ?? [])]) f(event);
  }
  dispatchEvent(event) {
    this.emit(event.type, event);
    return true;
  }
  postMessage(data, target) {
    this.posted.push({ data, target });
    queueMicrotask(() => this.deliver(data));
  }
  /** Delivers a message as the browser would, or as over says. */
  deliver(data, over = {}) {
    this.emit('message', { isTrusted: true, source: this, origin: this.location.origin, data: structuredClone(data), ...over });
  }
}

class Listeners {
  set = new Set();
  addListener(f) {
    this.set.add(f);
  }
  fire(...args) {
    for (const f of [...this.set]) f(...args);
  }
}

/** One end of a runtime or native port. */
export class FakePort {
  sent = [];
  open = true;
  onMessage = new Listeners();
  onDisconnect = new Listeners();
  constructor(sender, name = 'page') {
    this.sender = sender;
    this.name = name;
  }
  postMessage(m) {
    if (!this.open) throw new Error('Attempting to use a disconnected port object');
    this.sent.push(JSON.parse(JSON.stringify(m)));
  }
  disconnect() {
    this.open = false;
  }
  /** The other end speaks. */
  receive(m) {
    this.onMessage.fire(m, this);
  }
  /** The other end hangs up. */
  hangUp() {
    this.open = false;
    this.onDisconnect.fire(this);
  }
}

/** What chrome.runtime and the clock are to a Link. */
export class FakeBrowser {
  ports = [];
  time = 1_000_000;
  error = undefined;
  timers = new Map();
  connectNative(name) {
    this.name = name;
    const p = new FakePort();
    this.ports.push(p);
    return p;
  }
  lastError() {
    return this.error;
  }
  now() {
    return this.time;
  }
  setTimeout(f, ms) {
    this.timers.set(this.timers.size + 1, { f, at: this.time + ms });
    return this.timers.size;
  }
  clearTimeout(t) {
    this.timers.delete(t);
  }
  pass(ms) {
    this.time += ms;
    for (const [id, t] of [...this.timers]) {
      if (t.at <= this.time && this.timers.delete(id)) t.f();
    }
  }
  get port() {
    return this.ports.at(-1);
  }
}

/** A transport whose other end is a function from request to result; throwing {code, args} makes an error. */
export class FakeTransport {
  kind = 'extension';
  onmessage = () => undefined;
  onclose = () => undefined;
  requests = [];
  notifications = [];
  constructor(answer = () => new Promise(() => undefined)) {
    this.answer = answer;
  }
  send(text) {
    const m = JSON.parse(text);
    if (m.id === undefined) this.notifications.push(m);
    else void this.reply(m);
  }
  async reply(m) {
    this.requests.push(m);
    try {
      const result = await this.answer(m);
      this.onmessage(JSON.stringify({ jsonrpc: '2.0', id: m.id, result }));
    } catch (data) {
      this.onmessage(JSON.stringify({ jsonrpc: '2.0', id: m.id, error: { code: 1, message: 'refused', data } }));
    }
  }
  close() {
    this.closed = true;
  }
}
