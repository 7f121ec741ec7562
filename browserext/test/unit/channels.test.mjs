// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeBrowser, FakePort } from '../fakes.mjs';
import { load } from '../load.mjs';

const { Channels, Link, callerOf, popupCaller, classify, MESSAGE_LIMIT } = await load(
  'src/channels.ts', 'src/link.ts', 'src/caller.ts', 'sdk/wire.ts');

const ID = 'ldofnahphfbbgmklgggghnhbadlgdgmj';
const tab = { id: 7, url: 'https://portal.example/form' };
const sender = (over = {}) => ({ id: ID, frameId: 0, origin: 'https://portal.example', url: 'https://portal.example/form', tab, ...over });

function setup() {
  const browser = new FakeBrowser();
  const noted = [];
  const channels = new Channels(new Link(browser), { note: (n) => noted.push(n) });
  const join = (over) => {
    const port = new FakePort(sender(over));
    channels.accept(port, callerOf(port.sender, ID));
    return port;
  };
  return { browser, noted, join };
}

const rpc = (v) => ({ kind: 'rpc', body: typeof v === 'string' ? v : JSON.stringify(v) });
const closes = (port) => port.sent.filter((m) => m.kind === 'close').map((m) => m.reason.code);

test('a page port becomes a channel named by the browser, whatever the page says', () => {
  const { browser, join } = setup();
  const port = join();
  port.receive(rpc({ id: 1, method: 'agent.hello', from: { origin: 'https://bank.example' } }));
  assert.equal(browser.name, 'persten.agent');
  const [open, call] = browser.port.sent;
  assert.match(open.ch, /^[0-9a-f]{32}$/);
  assert.deepEqual(open, {
    ch: open.ch, kind: 'open',
    from: { origin: 'https://portal.example', top: 'https://portal.example', frame: '0', extension: ID },
  });
  assert.deepEqual(call, { ch: open.ch, kind: 'rpc', body: { id: 1, method: 'agent.hello', from: { origin: 'https://bank.example' } } });
  browser.port.receive({ ch: open.ch, kind: 'rpc', body: { id: 1, result: 2 } });
  assert.deepEqual(port.sent, [rpc({ id: 1, result: 2 })]);
});

test('all pages share one native port, and answers reach only their own', () => {
  const { browser, join } = setup();
  const ports = Array.from({ length: 20 }, () => join());
  assert.equal(browser.ports.length, 1);
  const ids = browser.port.sent.map((e) => e.ch);
  assert.equal(new Set(ids).size, 20);
  browser.port.receive({ ch: ids[3], kind: 'rpc', body: { id: 1, result: 'third' } });
  assert.deepEqual(ports.map((p) => p.sent.length), ports.map((_, i) => (i === 3 ? 1 : 0)));
});

test('a gone page closes its channel; after the last one the native port is let go', () => {
  const { browser, join } = setup();
  const port = join();
  port.hangUp();
  assert.equal(browser.port.sent.at(-1).kind, 'close');
  assert.equal(browser.port.open, true);
  browser.pass(10_000);
  assert.equal(browser.port.open, false);
  join();
  assert.equal(browser.ports.length, 2);
});

test('parts are joined in order; too much of them ends the channel alone', () => {
  const { browser, join } = setup();
  const [a, b] = [join(), join()];
  const [chA, chB] = browser.port.sent.map((e) => e.ch);
  const text = JSON.stringify({ id: 1, result: 'Перстень' });
  for (const [i, c] of [...text].entries()) browser.port.receive({ ch: chA, kind: 'part', more: i < [...text].length - 1, body: c });
  assert.deepEqual(a.sent, [rpc(text)]);
  for (let i = 0; i < 7; i++) browser.port.receive({ ch: chB, kind: 'part', more: true, body: 'x'.repeat(768 * 1024) });
  assert.deepEqual(closes(b), ['protocol_violation']);
  assert.equal(a.open, true);
});

test('bad envelopes from the host never reach a page', () => {
  const { browser, join } = setup();
  const port = join();
  for (const m of [null, 1, 'x', [], {}, { ch: 1 }, { ch: 'f'.repeat(32), kind: 'rpc', body: {} }]) browser.port.receive(m);
  assert.deepEqual(port.sent, []);
  const { ch } = browser.port.sent[0];
  browser.port.receive({ ch, kind: 'part', more: false, body: '{"id":1,' });
  assert.deepEqual(closes(port), ['protocol_violation']);
});

test('what a page may not send ends its channel, not the native port', () => {
  const numbers = `{"params":[${'1e20,'.repeat(400_000)}1]}`; // 2 MB here, 9 MB once written out
  for (const [body, code] of [['{', 'request_malformed'], ['[]', 'request_malformed'], ['"x"', 'request_malformed'], [numbers, 'request_too_large']]) {
    const { browser, join } = setup();
    const port = join();
    port.receive(rpc(body));
    assert.deepEqual(closes(port), [code]);
    assert.deepEqual(browser.port.sent.map((e) => e.kind), ['open', 'close']);
    assert.equal(browser.port.open, true);
  }
  assert.ok(numbers.length < MESSAGE_LIMIT);
});

test('the host may end a channel and say why', () => {
  for (const [body, code] of [['too_large', 'request_too_large'], ['limit', 'request_limit'], ['origin', 'origin_invalid'], ['<b>', 'agent_lost'], ['constructor', 'agent_lost'], [undefined, 'agent_lost']]) {
    const { browser, join } = setup();
    const port = join();
    browser.port.receive({ ch: browser.port.sent[0].ch, kind: 'close', body });
    assert.deepEqual(closes(port), [code]);
  }
});

test('at most 256 channels, and 64 of one site with the frames inside it', () => {
  const { join } = setup();
  const site = (i) => ({ origin: `https://s${i}.example`, url: `https://s${i}.example/` });
  const framed = (i) => ({ frameId: 7, origin: `https://f${i}.example`, url: `https://f${i}.example/` }); // inside https://portal.example
  const own = Array.from({ length: 65 }, (_, i) => join(framed(i)));
  assert.deepEqual([closes(own[63]), closes(own[64])], [[], ['request_limit']]);
  const others = Array.from({ length: 193 }, (_, i) => join(site(i)));
  assert.deepEqual([closes(others[191]), closes(others[192])], [[], ['request_limit']]);
  own[0].hangUp();
  assert.deepEqual(closes(join(framed(0))), [], 'a place that came free');
});

test("the browsers' words become codes", () => {
  for (const [said, code] of [
    ['Specified native messaging host not found.', 'agent_not_installed'],
    ['Failed to start native messaging host.', 'agent_not_installed'],
    ['No such native application persten.agent', 'agent_not_installed'],
    ['Access to the specified native messaging host is forbidden.', 'agent_forbidden'],
    ['This extension does not have permission to use native application persten.agent', 'agent_forbidden'],
    ['Native host has exited.', 'agent_not_running'],
    ['Error when communicating with the native messaging host.', 'agent_not_running'],
    [undefined, 'agent_not_running'],
  ]) assert.equal(classify(said).code, code, said);
});

test('a dead native port is reported to every page and opened again with growing pauses', () => {
  const { browser, join } = setup();
  const first = join();
  browser.error = 'Specified native messaging host not found.';
  browser.port.hangUp();
  assert.deepEqual(closes(first), ['agent_not_installed']);
  assert.equal(closes(join())[0], 'agent_not_installed', 'during the pause the reason is known at once');
  assert.equal(browser.ports.length, 1);
  browser.pass(250);
  join();
  assert.equal(browser.ports.length, 2, 'after the pause it is tried again');
  browser.port.hangUp();
  browser.pass(250);
  join();
  assert.equal(browser.ports.length, 2, 'the second pause is longer');
  for (let i = 0; i < 10; i++) {
    browser.pass(5_000);
    join();
    browser.port.hangUp();
  }
  assert.equal(browser.ports.length, 12, 'and never longer than five seconds');
  browser.pass(5_000);
  const last = join();
  browser.port.receive({ ch: 'x' });
  browser.port.hangUp();
  assert.deepEqual(closes(last), ['agent_lost'], 'a port that had spoken was lost, not absent');
  join();
  assert.equal(browser.ports.length, 14, 'and is opened again at once');
});

test('the popup is told what the agent said about a site, and what was asked', () => {
  const { browser, noted, join } = setup();
  const port = join();
  const { ch } = browser.port.sent[0];
  const say = (body) => browser.port.receive({ ch, kind: 'rpc', body });
  const error = (code, origin) => ({ id: 1, error: { code: 1, message: '', data: { code, args: { origin } } } });
  const site = 'https://portal.example';
  say({ method: 'tokens.changed', params: {} });
  say(error('request_limit'));
  assert.deepEqual(noted, [], 'a limit says nothing about the site');
  for (const body of [error('origin_not_allowed', site), error('origin_not_allowed', site), { id: 1, result: {} }, error('token_absent'), error('origin_denied', site)]) say(body);
  assert.deepEqual(noted.splice(0), ['unknown', 'allowed', 'denied'].map((standing) => ({ site, standing })));
  for (const [i, method] of ['agent.hello', 'sign.cms', 'content.append', 'certificates.list', 'verify.cms', '<b>'].entries()) port.receive(rpc({ id: i, method }));
  say({ id: 0, result: {} });
  say({ ...error('user_rejected'), id: 1 });
  say({ id: 2, result: {} });
  say({ id: 3, result: {} });
  say({ id: 77, result: {} });
  port.receive(rpc('{'));
  const asked = noted.filter((n) => n.request).map(({ site: s, request: { method, outcome } }) => [s, method, outcome]);
  assert.deepEqual(asked, [[site, 'sign.cms', 'user_rejected'], [site, 'certificates.list', 'ok'], [site, 'verify.cms', 'request_malformed']]);
});

test('of a private window nothing is kept', () => {
  const { browser, noted, join } = setup();
  const port = join({ tab: { ...tab, incognito: true } });
  port.receive(rpc({ id: 1, method: 'sign.cms' }));
  browser.port.receive({ ch: browser.port.sent[0].ch, kind: 'rpc', body: { id: 1, result: {} } });
  assert.deepEqual([port.sent.length, noted], [1, []]);
});

test('a frame: the site that is not allowed is the one the agent names', () => {
  const { browser, noted, join } = setup();
  join({ frameId: 3, url: 'https://widget.example/', origin: 'https://widget.example' });
  const { ch } = browser.port.sent[0];
  const refuse = (code, origin) => browser.port.receive({ ch, kind: 'rpc', body: { id: 1, error: { data: { code, args: { origin } } } } });
  refuse('origin_not_allowed', 'https://widget.example');
  refuse('origin_denied', 'https://portal.example');
  refuse('origin_denied', 'https://bank.example');
  browser.port.receive({ ch, kind: 'rpc', body: { id: 1, result: {} } });
  assert.deepEqual(noted.filter((n) => n.standing).map((n) => [n.site, n.standing]), [
    ['https://widget.example', 'unknown'], ['https://portal.example', 'denied'], ['https://widget.example', 'denied'],
    ['https://widget.example', 'allowed'], ['https://portal.example', 'allowed'],
  ]);
  assert.ok(noted.filter((n) => n.frame).every((n) => n.site === 'https://portal.example' && n.frame === 'https://widget.example'));
});

test('a channel has at most 256 requests open, no id twice, and no more cancels than requests', () => {
  const ends = (f) => {
    const { browser, join } = setup();
    const port = join();
    f((m) => port.receive(rpc(m)), (body) => browser.port.receive({ ch: browser.port.sent[0].ch, kind: 'rpc', body }));
    return [closes(port), browser.port.sent.filter((e) => e.kind === 'rpc').length];
  };
  const cancel = { method: '$/cancel', params: { id: 1 } };
  assert.deepEqual(ends((send) => { for (let id = 0; id < 1000; id++) send({ id, method: 'sign.cms' }); }), [['request_limit'], 256]);
  assert.deepEqual(ends((send, answer) => { for (let id = 0; id < 1000; id++) { send({ id, method: 'sign.cms' }); answer({ id, result: {} }); } }), [[], 1000]);
  assert.deepEqual(ends((send) => { send({ id: 1 }); send({ id: 1 }); }), [['request_malformed'], 1]);
  assert.deepEqual(ends((send) => { send({ id: 1 }); send(cancel); send(cancel); }), [['request_limit'], 2]);
  for (const id of [null, true, {}, [], 'x'.repeat(129)]) assert.deepEqual(ends((send) => send({ id, method: 'sign.cms' })), [['request_malformed'], 0]);
});

test('a caller is believed only when the browser leaves no doubt', () => {
  const good = [
    [sender(), 'https://portal.example'],
    [sender({ origin: undefined }), 'https://portal.example'],
    [sender({ origin: 'http://127.0.0.1:8080', url: 'http://127.0.0.1:8080/' }), 'http://127.0.0.1:8080'],
    [sender({ documentLifecycle: 'active' }), 'https://portal.example'],
  ];
  for (const [s, origin] of good) assert.equal(callerOf(s, ID)?.origin, origin);
  const bad = [
    undefined, {}, sender({ id: 'other' }), sender({ tab: undefined }), sender({ frameId: undefined }), sender({ url: undefined }),
    sender({ origin: 'https://evil.example' }), sender({ origin: 'null' }), sender({ url: 'about:blank', origin: 'null' }),
    sender({ url: 'data:text/html,x', origin: undefined }), sender({ url: 'http://portal.example/', origin: 'http://portal.example' }),
    sender({ url: 'file:///etc/passwd', origin: undefined }), sender({ url: 'not a url', origin: undefined }),
    sender({ url: 'http://127.0.0.1.evil.example/', origin: undefined }), sender({ documentLifecycle: 'prerender' }),
    sender({ frameId: 3, tab: { id: 7 } }), sender({ url: `chrome-extension://${ID}/status/status.html`, origin: undefined }),
  ];
  for (const s of bad) assert.equal(callerOf(s, ID), undefined, JSON.stringify(s));
  const framed = callerOf(sender({ frameId: 3, url: 'https://widget.example/', origin: 'https://widget.example' }), ID);
  assert.deepEqual(framed, { origin: 'https://widget.example', top: 'https://portal.example', frame: '3', extension: ID });
});

test('only the popup is the popup', () => {
  const base = `chrome-extension://${ID}/`;
  assert.equal(popupCaller({ id: ID, url: `${base}status/status.html` }, ID, base)?.origin, `chrome-extension://${ID}`);
  for (const s of [undefined, sender(), { id: 'other', url: `${base}status/status.html` }, { id: ID, url: 'https://evil.example/status/' },
    sender({ url: `${base}status/status.html` })]) assert.equal(popupCaller(s, ID, base), undefined);
});
