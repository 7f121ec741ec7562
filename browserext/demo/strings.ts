// SPDX-License-Identifier: MIT
import type { Lang } from '../sdk/index.js';

const ru = {
  title: 'Учебный портал Persten',
  subtitle: 'Подпись документа ключом, который не покидает токен',
  language: 'Язык',
  connect: 'Подключиться',
  looking: 'Ищем Persten на этом компьютере…',
  connecting: 'Подключаемся к Persten…',
  connectedExtension: 'Persten {version} на связи через расширение браузера.',
  connectedWebSocket: 'Persten {version} на связи напрямую.',
  pressConnect: 'Нажмите «Подключиться»: браузер спросит, можно ли странице обратиться к программе на этом компьютере.',
  answerQuestion: 'Ответьте в окне Persten, разрешаете ли вы этому сайту просить подпись.',
  absent: 'Persten не отвечает. Запустите его командой «persten demo» и нажмите «Подключиться».',
  document: 'Документ',
  textLabel: 'Текст для подписи',
  sample: 'Прошу предоставить мне отпуск с 1 по 14 июня.',
  textName: 'текст.txt',
  dropHere: 'или перетащите сюда файл',
  chooseFile: 'Выбрать файл',
  removeFile: 'Убрать',
  certificate: 'Сертификат',
  refresh: 'Обновить',
  noCards: 'Сертификатов нет. Вставьте токен и нажмите «Обновить».',
  notConnected: 'Появятся после подключения.',
  validTill: 'Действует до {date}',
  issuedBy: 'Выдан: {issuer}',
  inn: 'ИНН {inn}',
  demo: 'учебный',
  demoPIN: 'PIN-код учебного токена: {pin}',
  cannotSign: 'Этим сертификатом сейчас подписать нельзя.',
  certificate_expired: 'Срок действия истёк.',
  certificate_not_yet_valid: 'Срок действия ещё не начался.',
  certificate_revoked: 'Сертификат отозван.',
  certificate_not_for_signing: 'Сертификат не предназначен для подписи документов.',
  algorithm_unsupported: 'Токен не поддерживает нужный алгоритм.',
  pin_locked: 'PIN-код токена заблокирован.',
  signature: 'Подпись',
  kind: 'Вид подписи',
  detached: 'Отсоединённая',
  detachedHint: 'Подпись — отдельный файл .p7s',
  attached: 'Присоединённая',
  attachedHint: 'Документ внутри файла .p7s',
  sign: 'Подписать',
  cancel: 'Отменить',
  sending: 'Передаём документ в Persten…',
  waiting: 'Проверьте документ и введите PIN-код в окне Persten.',
  token: 'Ждём токен…',
  signing: 'Подписываем…',
  created: 'Подпись создана',
  signer: 'Подписал',
  time: 'Время',
  documentSize: 'Документ',
  signatureSize: 'Подпись',
  download: 'Скачать .p7s',
  checkIt: 'Проверить подпись',
  cancelled: 'Вы отменили запрос: подпись не создана.',
  cancelledNext: 'Если документ нужно подписать, нажмите «Подписать» ещё раз.',
  emptyDocument: 'Документ пуст.',
  emptyDocumentNext: 'Введите текст или выберите файл.',
  unexpected: 'На странице произошла ошибка: {detail}',
  unexpectedNext: 'Обновите страницу и повторите.',
  verifyTitle: 'Проверить подпись',
  verifyHint: 'Для отсоединённой подписи нужен и сам документ.',
  signatureFile: 'Файл подписи',
  contentFile: 'Документ (если подпись отсоединённая)',
  verify: 'Проверить',
  checking: 'Проверяем…',
  isValid: 'Подпись верна: документ не изменён.',
  isInvalid: 'Подпись неверна.',
  trusted: 'Сертификату можно доверять.',
  untrusted: 'Цепочка доверия не подтверждена.',
  unknownSigner: 'Подписавший неизвестен',
  bytes: '{n} Б',
  footer: 'Учебная страница. PIN-код вводится только в окне Persten; страница его не видит.',
} as const;

export type Key = keyof typeof ru;

const en: Record<Key, string> = {
  title: 'Persten demonstration portal',
  subtitle: 'A document signed with a key that never leaves the token',
  language: 'Language',
  connect: 'Connect',
  looking: 'Looking for Persten on this computer…',
  connecting: 'Connecting to Persten…',
  connectedExtension: 'Persten {version} is connected through the browser extension.',
  connectedWebSocket: 'Persten {version} is connected directly.',
  pressConnect: 'Press Connect: the browser will ask whether the page may reach a program on this computer.',
  answerQuestion: 'Answer in the Persten window whether this site may ask for signatures.',
  absent: 'Persten does not answer. Start it with "persten demo" and press Connect.',
  document: 'Document',
  textLabel: 'Text to sign',
  sample: 'Please grant me leave from 1 to 14 June.',
  textName: 'text.txt',
  dropHere: 'or drop a file here',
  chooseFile: 'Choose a file',
  removeFile: 'Remove',
  certificate: 'Certificate',
  refresh: 'Refresh',
  noCards: 'There are no certificates. Plug in a token and press Refresh.',
  notConnected: 'They appear once connected.',
  validTill: 'Valid until {date}',
  issuedBy: 'Issued by {issuer}',
  inn: 'INN {inn}',
  demo: 'demo',
  demoPIN: 'PIN of the practice token: {pin}',
  cannotSign: 'This certificate cannot sign now.',
  certificate_expired: 'It has expired.',
  certificate_not_yet_valid: 'It is not valid yet.',
  certificate_revoked: 'It was revoked.',
  certificate_not_for_signing: 'It is not meant for signing documents.',
  algorithm_unsupported: 'The token does not support its algorithm.',
  pin_locked: "The token's PIN is locked.",
  signature: 'Signature',
  kind: 'Kind of signature',
  detached: 'Detached',
  detachedHint: 'The signature is a .p7s file of its own',
  attached: 'Attached',
  attachedHint: 'The document is inside the .p7s file',
  sign: 'Sign',
  cancel: 'Cancel',
  sending: 'Sending the document to Persten…',
  waiting: 'Check the document and type the PIN in the Persten window.',
  token: 'Waiting for the token…',
  signing: 'Signing…',
  created: 'Signature created',
  signer: 'Signed by',
  time: 'Time',
  documentSize: 'Document',
  signatureSize: 'Signature',
  download: 'Download .p7s',
  checkIt: 'Verify it',
  cancelled: 'You cancelled: no signature was created.',
  cancelledNext: 'To sign the document, press Sign again.',
  emptyDocument: 'The document is empty.',
  emptyDocumentNext: 'Type a text or choose a file.',
  unexpected: 'The page had an error: {detail}',
  unexpectedNext: 'Reload the page and try again.',
  verifyTitle: 'Verify a signature',
  verifyHint: 'A detached signature needs the document too.',
  signatureFile: 'Signature file',
  contentFile: 'Document (for a detached signature)',
  verify: 'Verify',
  checking: 'Verifying…',
  isValid: 'The signature is valid: the document has not changed.',
  isInvalid: 'The signature is not valid.',
  trusted: 'The certificate is trusted.',
  untrusted: 'The chain of trust is not confirmed.',
  unknownSigner: 'Unknown signer',
  bytes: '{n} B',
  footer: 'A demonstration page. The PIN is typed in the Persten window only; the page does not see it.',
};

const texts: Record<Lang, Record<Key, string>> = { ru, en };

/** Whether s is the key of a text; error codes may be. */
export function isKey(s: string): s is Key {
  return Object.hasOwn(ru, s);
}

export function translate(lang: Lang, key: Key, args: Record<string, string> = {}): string {
  return texts[lang][key].replace(/\{(\w+)\}/g, (_, name: string) => args[name] ?? '');
}

export function formatSize(lang: Lang, n: number): string {
  if (n < 1024) return translate(lang, 'bytes', { n: String(n) });
  const units = lang === 'ru' ? ['КБ', 'МБ', 'ГБ'] : ['KB', 'MB', 'GB'];
  const step = Math.min(Math.floor(Math.log2(n) / 10), units.length);
  const value = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(n / 1024 ** step);
  return `${value} ${units[step - 1] ?? ''}`;
}

export function formatTime(lang: Lang, d: Date): string {
  return new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'medium' }).format(d);
}

export function formatDate(lang: Lang, d: Date): string {
  return new Intl.DateTimeFormat(lang, { dateStyle: 'long' }).format(d);
}
