// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from '../load.mjs';

const { matches } = await load('sdk/matches.ts');

const person = { name: 'Подписант Демонстрационный Семёнович', inn: '770700000012', innle: '7707000009', ogrn: '1027700000006', snils: '00000000000', email: 'demo@portal.example' };
const before2021 = { name: 'ООО «Ёлка»', inn: '007707000009', ogrn: '1027700000006' };
const trader = { name: 'Демонстрационный Подписант', inn: '770700000012', ogrnip: '304770000000001' };

const table = [
  [person, {}, true],
  [person, { inn: '770700000012' }, true],
  [person, { inn: ' 770700000012 ' }, true],
  [person, { inn: '770700000013' }, false],
  [person, { inn: '7707000009' }, true, 'the organization of the person'],
  [person, { innle: '7707000009' }, true],
  [person, { innle: '007707000009' }, true],
  [person, { innle: '7707000008' }, false],
  [before2021, { inn: '7707000009' }, true, '00 in front'],
  [before2021, { innle: '7707000009' }, true],
  [before2021, { innle: '007707000009' }, true],
  [before2021, { inn: '07707000009' }, false, 'one zero is another number'],
  [before2021, { inn: '770700000900' }, false],
  [trader, { innle: '770700000012' }, true, 'whoever has one number, has it under both names'],
  [trader, { ogrnip: '304770000000001' }, true],
  [trader, { ogrn: '304770000000001' }, false],
  [trader, { innle: '7707000009' }, false],
  [person, { snils: '000-000-000 00' }, true],
  [person, { snils: '000-000-000 01' }, false],
  [person, { snils: '---' }, false, 'no digits match nothing'],
  [trader, { snils: '000-000-000 00' }, false, 'what the certificate does not say does not match'],
  [person, { inn: '770700000012x' }, false],
  [person, { name: 'ПОДПИСАНТ  ДЕМОНСТРАЦИОННЫЙ\u00a0СЕМЕНОВИЧ' }, true],
  [person, { name: 'подписант демонстрационный семе\u0308нович' }, true, 'Ё of two characters'],
  [person, { name: 'Подписант Демонстрационный' }, false],
  [before2021, { name: 'ооо «елка»' }, true],
  [person, { name: 'Подписант Демонстрационный Семёнович', inn: '770700000012', ogrn: '1027700000006' }, true],
  [person, { name: 'Подписант Демонстрационный Семёнович', inn: '770700000013' }, false, 'all of it has to match'],
  [person, { name: '', inn: '  ', snils: undefined }, true, 'nothing was asked'],
  [person, { email: 'Demo@Portal.example' }, true],
];

for (const [certificate, holder, want, why = ''] of table) {
  test(`${JSON.stringify(holder)} ${want ? 'is' : 'is not'} ${certificate.name} ${why}`, () => assert.equal(matches(certificate, holder), want));
}
