// SPDX-License-Identifier: MIT
import type { ErrorCode } from '../src/proto.gen.js';
import { isObject, strings, type Reason } from './wire.js';

/** Language of texts. */
export type Lang = 'ru' | 'en';

/** Codes only this SDK knows; all others are the agent's error catalogue. */
export type ClientCode =
  | 'agent_unknown'
  | 'extension_reloaded'
  | 'browser_permission_needed'
  | 'page_policy'
  | 'context_insecure'
  | 'protocol_violation';

/** Every code a portal can meet. Newer agents may send codes this SDK has not heard of. */
export type Code = ErrorCode | ClientCode | (string & {});

type Text = { what: string; next: string };

/** Codes of the catalogue that this side also raises by itself, when no agent is there to say them. */
type Raised =
  | 'agent_not_installed' | 'agent_not_running' | 'agent_forbidden' | 'agent_lost' | 'browser_permission'
  | 'origin_not_allowed' | 'request_cancelled' | 'request_limit' | 'request_malformed' | 'request_too_large';

const texts: Record<ClientCode | (Raised & ErrorCode), Record<Lang, Text>> = {
  agent_not_installed: {
    ru: { what: 'Программа Persten не установлена на этом компьютере.', next: 'Установите Persten и обновите страницу.' },
    en: { what: 'Persten is not installed on this computer.', next: 'Install Persten and reload the page.' },
  },
  agent_not_running: {
    ru: { what: 'Программа Persten не запущена.', next: 'Запустите Persten и повторите.' },
    en: { what: 'Persten is not running.', next: 'Start Persten and try again.' },
  },
  agent_forbidden: {
    ru: {
      what: 'Браузер не разрешает расширению обратиться к программе Persten.',
      next: 'Переустановите Persten или попросите администратора разрешить его в настройках браузера.',
    },
    en: {
      what: 'The browser does not let the extension reach Persten.',
      next: 'Reinstall Persten, or ask the administrator to allow it in the browser policies.',
    },
  },
  agent_lost: {
    ru: { what: 'Связь с программой Persten прервалась.', next: 'Повторите действие.' },
    en: { what: 'The connection to Persten was lost.', next: 'Try again.' },
  },
  agent_unknown: {
    ru: { what: 'На месте Persten отвечает другая программа.', next: 'Закройте её или перезагрузите компьютер и повторите.' },
    en: { what: 'Another program answers in the place of Persten.', next: 'Close it or restart the computer, then try again.' },
  },
  extension_reloaded: {
    ru: { what: 'Расширение Persten обновилось.', next: 'Обновите страницу.' },
    en: { what: 'The Persten extension was updated.', next: 'Reload the page.' },
  },
  browser_permission_needed: {
    ru: {
      what: 'Браузер должен спросить разрешение на связь с программой на этом компьютере.',
      next: 'Нажмите кнопку на странице ещё раз и выберите «Разрешить».',
    },
    en: {
      what: 'The browser has to ask whether the page may talk to a program on this computer.',
      next: 'Press the button on the page again and choose Allow.',
    },
  },
  browser_permission: {
    ru: {
      what: 'Браузер запретил странице связь с программой на этом компьютере.',
      next: 'Разрешите доступ к приложениям на устройстве в настройках сайта (значок слева от адреса) и обновите страницу.',
    },
    en: {
      what: 'The browser does not let the page talk to a program on this computer.',
      next: 'Allow access to apps on this device in the site settings (the icon left of the address) and reload the page.',
    },
  },
  page_policy: {
    ru: {
      what: 'Настройки безопасности этого сайта не дают странице обратиться к Persten.',
      next: 'Сообщите в поддержку сайта: в Content-Security-Policy нужен connect-src ws://127.0.0.1:24117.',
    },
    en: {
      what: 'The security settings of this site keep the page from reaching Persten.',
      next: 'Tell the site: its Content-Security-Policy needs connect-src ws://127.0.0.1:24117.',
    },
  },
  context_insecure: {
    ru: { what: 'Страница открыта по незащищённому адресу.', next: 'Откройте её по адресу, начинающемуся с https.' },
    en: { what: 'The page was opened at an insecure address.', next: 'Open it at an address that starts with https.' },
  },
  protocol_violation: {
    ru: { what: 'Пришёл ответ, который нельзя понять.', next: 'Обновите Persten и страницу, затем повторите.' },
    en: { what: 'An answer came that cannot be understood.', next: 'Update Persten, reload the page and try again.' },
  },
  origin_not_allowed: {
    ru: { what: 'Этому сайту ещё не разрешено обращаться к Persten.', next: 'Ответьте на вопрос в окне Persten и повторите.' },
    en: { what: 'This site is not allowed to use Persten yet.', next: 'Answer the question in the Persten window and try again.' },
  },
  request_cancelled: {
    ru: { what: 'Действие отменено.', next: 'Начните заново, если это нужно.' },
    en: { what: 'The request was cancelled.', next: 'Start again if you need to.' },
  },
  request_limit: {
    ru: { what: 'Слишком много обращений к Persten одновременно.', next: 'Закройте лишние вкладки этого сайта и повторите.' },
    en: { what: 'Too many connections to Persten at once.', next: 'Close other tabs of this site and try again.' },
  },
  request_malformed: {
    ru: { what: 'Запрос страницы нельзя прочитать.', next: 'Обновите страницу. Если не поможет, сообщите в поддержку сайта.' },
    en: { what: 'The request of the page cannot be read.', next: 'Reload the page. If it happens again, tell the site.' },
  },
  request_too_large: {
    ru: { what: 'Сообщение слишком велико.', next: 'Передавайте документ частями.' },
    en: { what: 'The message is too large.', next: 'Send the document in pieces.' },
  },
};

/** The error of this SDK. An aborted call rejects with its signal's own reason instead, as `fetch` does. */
export class PerstenError extends Error {
  override readonly name = 'PerstenError';
  /** Stable; what to decide by. */
  readonly code: Code;
  /** Details, such as `attempts` of pin_incorrect. */
  readonly args: Readonly<Record<string, string>>;
  /** What the person can do now, in the language of the connection; may be empty. */
  readonly next: string;

  constructor(reason: Reason, lang: Lang = 'en') {
    const own = Object.hasOwn(texts, reason.code) ? texts[reason.code as keyof typeof texts][lang] : undefined;
    super(reason.text ?? own?.what ?? reason.code);
    this.code = reason.code;
    this.args = Object.freeze({ ...reason.args });
    this.next = reason.next ?? own?.next ?? '';
  }
}

/** Reads the error member of a JSON-RPC answer. */
export function reasonOf(error: unknown): Reason {
  if (!isObject(error)) return { code: 'protocol_violation' };
  const data = isObject(error['data']) ? error['data'] : {};
  if (typeof data['code'] !== 'string') return { code: 'internal', text: String(error['message'] ?? 'internal error') };
  const reason: Reason = { code: data['code'] };
  if (isObject(data['args'])) reason.args = strings(data['args']);
  if (typeof data['text'] === 'string') reason.text = data['text'];
  else if (typeof error['message'] === 'string') reason.text = error['message'];
  if (typeof data['next'] === 'string') reason.next = data['next'];
  return reason;
}
