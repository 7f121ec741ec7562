// SPDX-License-Identifier: GPL-3.0-or-later
// detect() comes to exactly one state, whatever the page meets, and nobody is asked anything.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newAgentKey } from '../fixtures/proof.mjs';
import { load } from '../load.mjs';
import { define, greeting, hello, install, openPage, origin, us, world } from '../page.mjs';

const { detect, TEXTS } = await load('sdk/index.ts', 'sdk/texts.gen.ts');
const { relay } = await load('src/relay.ts');

const refuse = () => true;
const fails = (code, args = {}) => () => { throw { code, args, text: 'Сказано агентом.', next: 'Сделайте.' }; };

/** What the page meets, and what it comes to: state, code, transport, and what else is told. */
const cases = [
  ['ready: the extension', { extension: true }, ['ready', 'ready', 'extension', { version: '0.1.0' }]],
  ['ready: the WebSocket', {}, ['ready', 'ready', 'websocket', { version: '0.1.0' }]],
  ['ready: a browser without such permissions', { permission: {} }, ['ready', 'ready', 'websocket', { version: '0.1.0' }]],
  ['ready: the extension without native messaging, and the WebSocket', { extension: { code: 'agent_not_installed' } }, ['ready', 'ready', 'websocket', { version: '0.1.0' }]],
  ['ready: the agent met before', { met: us.key }, ['ready', 'ready', 'websocket', { version: '0.1.0' }]],
  ['not installed: nothing answers and nothing ever did', { refuse, health: 'none' }, ['not_installed', 'agent_not_installed', 'websocket']],
  ['not installed: the extension finds no host', { extension: { code: 'agent_not_installed' }, permission: { 'loopback-network': 'prompt' } }, ['not_installed', 'agent_not_installed', 'extension']],
  ['extension missing: it was here before', { refuse, health: 'none', met: us.key, via: 'extension' }, ['extension_missing', 'extension_missing', 'websocket']],
  ['extension missing: the site wants no other way', { options: { transport: 'extension' } }, ['extension_missing', 'extension_missing', 'websocket']],
  ['extension missing: updated under the page', { extension: { code: 'extension_reloaded' } }, ['extension_missing', 'extension_reloaded', 'extension']],
  ['not running: it was here before', { refuse, health: 'none', met: us.key }, ['agent_not_running', 'agent_not_running', 'websocket']],
  ['not running: the extension says so', { extension: { code: 'agent_not_running' } }, ['agent_not_running', 'agent_not_running', 'extension']],
  ['not running: stopped in the middle', { extension: { code: 'agent_lost' } }, ['agent_not_running', 'agent_lost', 'extension']],
  ['not running: too busy', { extension: { code: 'request_limit', args: { limit: '256' } } }, ['agent_not_running', 'request_limit', 'extension']],
  ['paused: the extension', { extension: true, hello: { paused: true } }, ['agent_paused', 'agent_paused', 'extension', { version: '0.1.0' }]],
  ['paused: the WebSocket', { hello: { paused: true } }, ['agent_paused', 'agent_paused', 'websocket', { version: '0.1.0' }]],
  ['blocked: the browser would ask', { permission: { 'loopback-network': 'prompt' } }, ['blocked_by_browser', 'browser_permission_needed', 'websocket', { permission: 'prompt' }]],
  ['blocked: and asks no sooner for a click', { permission: { 'local-network-access': 'prompt' }, clicked: true }, ['blocked_by_browser', 'browser_permission_needed', 'websocket', { permission: 'prompt' }]],
  ['blocked: the person said no', { permission: { 'loopback-network': 'denied' } }, ['blocked_by_browser', 'browser_permission', 'websocket', { permission: 'denied' }]],
  ["blocked: the page's own policy", { refuse, policy: true }, ['blocked_by_browser', 'page_policy', 'websocket']],
  ['blocked: the host refuses the extension', { extension: { code: 'agent_forbidden' }, permission: { 'loopback-network': 'denied' } }, ['blocked_by_browser', 'agent_forbidden', 'extension']],
  ['insecure page', { insecure: true, extension: true }, ['insecure_page', 'context_insecure', 'none']],
  ['not allowed: nobody said yet, the extension', { extension: true, answer: fails('origin_not_allowed', { origin }) }, ['origin_not_allowed', 'origin_not_allowed', 'extension']],
  ['not allowed: nobody said yet, the WebSocket', { refuse }, ['origin_not_allowed', 'origin_not_allowed', 'websocket']],
  ['not allowed: refused, the extension', { extension: true, answer: fails('origin_denied', { origin }) }, ['origin_not_allowed', 'origin_denied', 'extension']],
  ['not allowed: refused meanwhile, the WebSocket', { answer: fails('origin_denied', { origin }) }, ['origin_not_allowed', 'origin_denied', 'websocket']],
  ['not ours: another program', { refuse, health: 'garbage' }, ['not_our_agent', 'agent_unknown', 'websocket']],
  ['not ours: another program, not readable', { refuse, health: 'unreadable' }, ['not_our_agent', 'agent_unknown', 'websocket']],
  ['not ours: garbage', { answer: () => 'garbage' }, ['not_our_agent', 'agent_unknown', 'websocket']],
  ['not ours: no proof', { answer: () => hello }, ['not_our_agent', 'not_our_agent', 'websocket']],
  ['not ours: no proof, behind the extension', { extension: true, answer: () => hello }, ['not_our_agent', 'not_our_agent', 'extension']],
  ['not ours: another key', { met: us.key, answer: greeting(newAgentKey()) }, ['not_our_agent', 'not_our_agent', 'websocket']],
  ['not ours: its excuses', { met: us.key, answer: fails('agent_paused') }, ['not_our_agent', 'not_our_agent', 'websocket']],
  ['not ours: an older agent than the one met before', { met: us.key, answer: fails('request_invalid', { field: 'challenge' }) }, ['not_our_agent', 'not_our_agent', 'websocket']],
  ['another user', { refuse, health: 'other_user' }, ['other_user', 'other_user', 'websocket']],
  ['too old: the agent knows no challenge', { answer: fails('request_invalid', { field: 'challenge' }) }, ['version_too_old', 'version_too_old', 'websocket']],
  ['too old: the agent behind the extension', { extension: true, answer: fails('request_invalid', { field: 'challenge' }) }, ['version_too_old', 'version_too_old', 'extension']],
  ['too old: a method is missing', { options: { needs: ['sign.batch'] } }, ['version_too_old', 'version_too_old', 'websocket', { version: '0.1.0' }]],
  ['too old: an answer nobody can read', { extension: { code: 'protocol_violation' } }, ['version_too_old', 'protocol_violation', 'extension']],
];

function meet(o) {
  openPage();
  if (o.extension) install(relay, o.extension === true ? undefined : o.extension);
  if (o.answer) world.agent['agent.hello'] = o.answer;
  if (o.hello) world.agent['agent.hello'] = (p) => ({ ...greeting()(p), ...o.hello });
  world.agent.refuse = o.refuse;
  Object.assign(world, { health: o.health ?? 'ours', clicked: o.clicked ?? false, permission: o.permission ?? world.permission });
  if (o.met) localStorage.setItem('persten.agent', JSON.stringify({ key: o.met, via: o.via ?? 'websocket' }));
  if (o.insecure) define('isSecureContext', false);
  if (o.policy) document.addEventListener = (_, f) => setTimeout(() => f({ blockedURI: 'ws://127.0.0.1:24117' }));
}

for (const [name, o, [state, code, transport, more = {}]] of cases) {
  test(name, async () => {
    for (const lang of ['ru', 'en']) {
      meet(o);
      const { text, advice, ...told } = await detect({ lang, ...o.options });
      assert.deepEqual(told, { state, code, transport, ...more });
      assert.match(text, lang === 'ru' || /агентом/.test(text) ? /[а-я]/ : /^[\x20-\x7e]+$/);
      assert.equal(advice === '', state === 'ready', 'something to do, unless all is well');
      for (const s of world.sockets) {
        assert.deepEqual(s.protocols, ['persten.v1', 'persten.quiet']);
        assert.deepEqual(s.sent.map((m) => [m.method, m.params?.quiet]), s.sent.length ? [['agent.hello', true]] : []);
        assert.equal(s.readyState, s.sent.length ? 3 : s.readyState, 'closed again');
      }
    }
  });
}

test('every state is there, and every code has words', () => {
  const states = ['ready', 'not_installed', 'extension_missing', 'agent_not_running', 'agent_paused', 'blocked_by_browser', 'insecure_page',
    'origin_not_allowed', 'not_our_agent', 'other_user', 'version_too_old'];
  assert.deepEqual([...new Set(cases.map(([, , [state]]) => state))].sort(), [...states].sort());
  for (const [, , [, code]] of cases) assert.ok(code === 'ready' || TEXTS[code], code);
});

test('an aborted look ends with the reason of its signal', async () => {
  meet({});
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(detect({ signal: stop.signal }), { name: 'AbortError' });
  const later = new AbortController();
  world.agent['agent.hello'] = () => { later.abort(); return hello; };
  await assert.rejects(detect({ signal: later.signal }), { name: 'AbortError' });
});
