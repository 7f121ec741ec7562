// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"path/filepath"
	"time"
)

// in is a variable of the configuration.
func in[T any](f func(*Config) *T) func(place) any {
	return func(p place) any { return f(p.c) }
}

// of is a variable of an entry.
func of[E, T any](f func(*E) *T) func(place) any {
	return func(p place) any { return f(p.entry.(*E)) }
}

func entry[E any]() any { return new(E) }

const groups = `["persten-users"]`

// sections is the table of knobs. Paragraphs are for administrators: what a knob does, what it is without being set, and what it
// does not do where one could think so. [[limit]] and [[unattended]] have a file of their own.
var sections = []Section{
	{
		Name: "origins",
		En:   "Which web sites may use the agent.",
		Ru:   "Какие сайты могут пользоваться агентом.",
		Knobs: []Knob{
			{
				Name: "allow", Kind: List, spell: siteRule, Example: `["https://portal.example", "https://*.corp.example"]`,
				En: "Sites that may use the agent without the question \"Allow SITE?\". In the policy https://*.corp.example stands for all names below corp.example on the usual port, not for corp.example itself, and only before a domain that somebody can register. Each signature is still asked for. Sites allowed by the policy cannot be refused by the person.",
				Ru: "Сайты, которым можно обращаться к агенту без вопроса «Разрешить САЙТ?». В политике https://*.corp.example означает все имена ниже corp.example на обычном порту, но не сам corp.example; звёздочка возможна только перед доменом, который можно зарегистрировать. О каждой подписи человека всё равно спросят. Запретить сайт, разрешённый политикой, человек не может.",
				to: func(p place) any {
					if p.policy {
						return &p.c.Origins.Policy
					}
					return &p.c.Origins.Allow
				},
			},
			{
				Name: "deny", Kind: List, Policy: true, spell: siteRule, Example: `["https://*.casino.example"]`,
				En: "Sites that may not use the agent, whoever allowed them. A site written without a port is denied on every port. One that is both allowed and denied is denied. The person is not asked and cannot change it.",
				Ru: "Сайты, которым обращаться к агенту нельзя, кто бы их ни разрешил. Сайт, написанный без порта, запрещён на всех портах. Сайт, который одновременно разрешён и запрещён, запрещён. Человека не спрашивают, изменить это он не может.",
				to: in(func(c *Config) *[]string { return &c.Origins.Deny }),
			},
			{
				Name: "visible", Kind: Bool, Policy: true, Example: "true",
				En: "true: sites get no signature of anything the person cannot be shown (ready digests). Without it the person decides for each site. To leave that decision to some groups only, use rights.hidden.",
				Ru: "true: сайты не получат подписи того, что нельзя показать человеку (готовых хешей). Без этого решает человек, для каждого сайта отдельно. Чтобы решать могли только некоторые группы, используйте rights.hidden.",
				to: in(func(c *Config) *bool { return &c.Origins.Visible }),
			},
		},
	},
	{
		Name: "rights", Policy: true,
		En: "Groups of the operating system whose members may do something. A right that is not named is everybody's; an empty list gives it to nobody. Groups are written by name (in Windows also as GROUP of DOMAIN\\GROUP, or by SID) and read when the session starts.",
		Ru: "Группы операционной системы, участникам которых что-либо разрешено. Право, которое не названо, есть у всех; пустой список не даёт его никому. Группы пишутся по имени (в Windows также GROUP из DOMAIN\\GROUP или SID) и читаются при запуске сеанса.",
		Knobs: []Knob{
			{
				Name: "approve", Kind: List, Example: groups, to: in(func(c *Config) *[]string { return &c.Rights.Approve }),
				En: "Who may approve signatures and logins. Others get the error right_missing and see no window. Rules of [[unattended]] go on, because it is the administrator who approved those.",
				Ru: "Кто может подтверждать подписи и входы. Остальные получают ошибку right_missing, окно не открывается. Правила [[unattended]] действуют: их подтвердил администратор.",
			},
			{
				Name: "hidden", Kind: List, Example: groups, to: in(func(c *Config) *[]string { return &c.Rights.Hidden }),
				En: "Who may allow a site to ask for signatures of what cannot be shown, and sign such for programs.",
				Ru: "Кто может разрешить сайту запрашивать подписи того, что нельзя показать, и подписывать такое по запросу программ.",
			},
			{
				Name: "keys", Kind: List, Example: groups, to: in(func(c *Config) *[]string { return &c.Rights.Keys }),
				En: "Who may add and remove keys through the agent. The vendor's own program of a token does not ask the agent.",
				Ru: "Кто может добавлять и удалять ключи через агент. Собственная программа производителя токена агента не спрашивает.",
			},
			{
				Name: "sites", Kind: List, Example: groups, to: in(func(c *Config) *[]string { return &c.Rights.Sites }),
				En: "Who may decide about web sites. For others there are only the sites of origins.allow in the policy: nobody asks them about a new one, and what they decided earlier or wrote into config.toml does not count.",
				Ru: "Кто может решать о сайтах. Для остальных есть только сайты из origins.allow политики: о новом сайте их не спрашивают, а прежние решения и config.toml не учитываются.",
			},
			{
				Name: "journal", Kind: List, Example: groups, to: in(func(c *Config) *[]string { return &c.Rights.Journal }),
				En: "Who may read the journal in the window, by commands and through the API. The file itself lies in the person's own folder, so that this hides nothing from somebody who opens it there.",
				Ru: "Кто может читать журнал в окне, командами и через API. Сам файл лежит в папке человека, поэтому от того, кто откроет его там, он не скрыт.",
			},
		},
	},
	unattendedSection,
	limitSection,
	{
		Name: "pin", Policy: true, done: pinTogether,
		En: "Keeping a PIN after it was typed. Both numbers go together; without them a PIN is kept for one request.",
		Ru: "Хранение введённого PIN-кода. Оба числа задаются вместе; без них PIN-код хранится на время одного запроса.",
		Knobs: []Knob{
			{
				Name: "cache_seconds", Kind: Number, Max: int64(MaxPINCache / time.Second), unit: int64(time.Second), Example: "120",
				to: in(func(c *Config) *time.Duration { return &c.PIN.Cache }),
				En: "For how long after its last use the process of the token's library keeps the PIN, in locked memory. The person still approves each signature. 0: not at all. A locked screen, a pulled token and sleep end it.",
				Ru: "Сколько времени после последнего использования процесс библиотеки токена хранит PIN-код в закрытой памяти. Каждую подпись человек всё равно подтверждает. 0: не хранить. Блокировка экрана, извлечение токена и сон прекращают хранение.",
			},
			{
				Name: "limit_seconds", Kind: Number, Max: int64(MaxPINLimit / time.Second), unit: int64(time.Second), Example: "1800",
				to: in(func(c *Config) *time.Duration { return &c.PIN.Limit }),
				En: "For how long in all, however often it is used.",
				Ru: "Сколько времени всего, как бы часто он ни использовался.",
			},
		},
	},
	{
		Name: "content",
		En:   "How large documents may be. Of the policy and the person's file the lower number counts.",
		Ru:   "Насколько большими могут быть документы. Из политики и файла человека действует меньшее число.",
		Knobs: []Knob{
			{
				Name: "max_mib", Kind: Number, Min: 1, Max: MaxContent >> 20, unit: 1 << 20, Lowest: true, Example: "1024",
				to: in(func(c *Config) *int64 { return &c.Content.Max }),
				En: "The largest document, in MiB. Without it 8 GiB.",
				Ru: "Наибольший документ, в МиБ. Без этого 8 ГиБ.",
			},
			{
				Name: "channel_mib", Kind: Number, Min: 1, Max: MaxContent >> 20, unit: 1 << 20, Lowest: true, Example: "4096",
				to: in(func(c *Config) *int64 { return &c.Content.Channel }),
				En: "All documents and signatures that one page or one command holds at a time, in MiB. Without it 20 GiB.",
				Ru: "Все документы и подписи, которые одновременно держит одна страница или одна команда, в МиБ. Без этого 20 ГиБ.",
			},
		},
	},
	{
		Name: "journal", Policy: true,
		En: "The record of every use of a key.",
		Ru: "Журнал всех использований ключей.",
		Knobs: []Knob{
			{
				Name: "keep_days", Kind: Number, Min: 30, Max: 36500, unit: int64(24 * time.Hour), Example: "1825",
				to: in(func(c *Config) *time.Duration { return &c.Journal.Keep }),
				En: "For how many days records are kept. Sessions forget older ones when they start and once a day, and note that they did. Records that [forward] has not sent yet stay, however old, until the journal is larger than 64 MiB. A damaged journal is kept whole. Without it nothing is forgotten.",
				Ru: "Сколько дней хранятся записи. Более старые сеанс удаляет при запуске и раз в сутки, оставляя об этом запись. Записи, которые ещё не переданы по [forward], остаются независимо от возраста, пока журнал не больше 64 МиБ. Повреждённый журнал сохраняется целиком. Без этого не удаляется ничего.",
			},
			{
				Name: "stay", Kind: Bool, Example: "false", to: in(func(c *Config) **bool { return &c.Journal.Stay }),
				En: "false: persten purge, which the packages run for every user before their removal, takes the user's journal, too, sent or not. Without it journals stay.",
				Ru: "false: команда persten purge, которую пакеты перед своим удалением выполняют за каждого пользователя, удаляет и его журнал, переданный или нет. Без этого журналы остаются.",
			},
		},
	},
	{
		Name: "module", Many: true, entry: entry[Module], done: keepModules,
		En: "PKCS#11 libraries beside those the agent finds by itself. Of one name the policy's is kept. A library is loaded only when nobody but the administrator could have put it there.",
		Ru: "Библиотеки PKCS#11 помимо тех, что агент находит сам. Из одноимённых остаётся библиотека политики. Библиотека загружается, только если положить её туда мог лишь администратор.",
		Knobs: []Knob{
			{
				Name: "name", Kind: Text, Example: `"softhsm"`, to: of(func(m *Module) *string { return &m.Name }),
				En: "How the library is called in lists and messages.",
				Ru: "Как библиотека называется в списках и сообщениях.",
			},
			{
				Name: "path", Kind: Text, spell: modulePath, Example: `"/usr/lib/softhsm/libsofthsm2.so"`, Windows: `'C:\Program Files\SoftHSM2\lib\softhsm2-x64.dll'`, to: of(func(m *Module) *string { return &m.Path }),
				En: "Its file, as an absolute path.",
				Ru: "Её файл, абсолютный путь.",
			},
		},
	},
	{
		Name: "modules", Policy: true,
		En: "Which PKCS#11 libraries may be loaded, and whether keys of the certificate store of Windows may be used.",
		Ru: "Какие библиотеки PKCS#11 можно загружать и можно ли пользоваться ключами из хранилища сертификатов Windows.",
		Knobs: []Knob{
			{
				Name: "only", Kind: List, Example: `["rutoken", "softhsm"]`, to: in(func(c *Config) *[]string { return &c.OnlyModules }),
				En: "The only libraries that are loaded: names of the built-in list (persten doctor names them) and of [[module]] in the policy. Libraries of config.toml are then left out, whatever their name. An empty list loads none. In Windows the name windows stands for the certificate store and the providers behind it, and the list forbids it where it does not name it.",
				Ru: "Единственные библиотеки, которые загружаются: имена из встроенного списка (их называет persten doctor) и из [[module]] политики. Библиотеки из config.toml тогда не учитываются, как бы они ни назывались. Пустой список не загружает ни одной. В Windows имя windows означает хранилище сертификатов и криптопровайдеров за ним; список, в котором его нет, запрещает и его.",
			},
		},
	},
	{
		Name: "keyfiles",
		En:   "Keys in files.",
		Ru:   "Ключи в файлах.",
		Knobs: []Knob{
			{
				Name: "dirs", Kind: List, spell: path, Example: `["~/keys"]`, to: in(func(c *Config) *[]string { return &c.Keyfiles.Dirs }),
				En: "Folders in which key files are tokens. Absolute, or below the person's home with ~/.",
				Ru: "Папки, в которых файлы с ключами считаются токенами. Абсолютные пути или пути в домашней папке человека с ~/.",
			},
			{
				Name: "forbid", Kind: Bool, Policy: true, Example: "true", to: in(func(c *Config) *bool { return &c.Keyfiles.Forbid }),
				En: "true: keys outside tokens and certified providers do not sign.",
				Ru: "true: ключи вне токенов и сертифицированных криптопровайдеров не подписывают.",
			},
		},
	},
	{
		Name: "trust",
		En:   "What certificates and signatures are checked with.",
		Ru:   "Чем проверяются сертификаты и подписи.",
		Knobs: []Knob{
			{
				Name: "roots", Kind: List, spell: path, Example: `["/etc/persten/roots"]`, Windows: `['C:\ProgramData\Persten\roots']`, to: in(func(c *Config) *[]string { return &c.Trust.Roots }),
				En: "Trusted root certificates: folders or files. What the person trusts by persten trust counts beside them.",
				Ru: "Доверенные корневые сертификаты: папки или файлы. Наряду с ними действует то, чему человек доверяет через persten trust.",
			},
			{
				Name: "crls", Kind: List, spell: path, Example: `["/var/lib/crls"]`, Windows: `['C:\ProgramData\Persten\crls']`, to: in(func(c *Config) *[]string { return &c.Trust.CRLs }),
				En: "Revocation lists at hand: folders or files. Others are fetched from the addresses in certificates.",
				Ru: "Готовые списки отозванных сертификатов: папки или файлы. Остальные загружаются по адресам из сертификатов.",
			},
			{
				Name: "tsa", Kind: Text, spell: stampAddress, Example: `"http://tsa.example/tsp"`, to: in(func(c *Config) *string { return &c.Trust.TSA }),
				En: "The time-stamping authority. Empty: none, and signatures of profile T are refused.",
				Ru: "Служба меток времени. Пусто: её нет, и подписи с меткой времени не создаются.",
			},
			{
				Name: "ocsp", Kind: Bool, Example: "false", to: in(func(c *Config) *bool { return &c.Trust.OCSP }),
				En: "false: OCSP servers, which learn whose certificate is looked at, are not asked. Revocation lists are fetched in any case.",
				Ru: "false: серверы OCSP, которые узнают, чей сертификат проверяется, не запрашиваются. Списки отозванных загружаются в любом случае.",
			},
			{
				Name: "system", Kind: Bool, Example: "true", to: in(func(c *Config) *bool { return &c.Trust.System }),
				En: "true: the roots of the operating system count, too. Most of them are for web sites.",
				Ru: "true: учитываются и корневые сертификаты операционной системы. Большинство из них для сайтов.",
			},
		},
	},
	{
		Name: "network",
		En:   "How time-stamps and revocation answers are fetched.",
		Ru:   "Как запрашиваются метки времени и сведения об отзыве.",
		Knobs: []Knob{
			{
				Name: "offline", Kind: Bool, Example: "true", to: in(func(c *Config) *bool { return &c.Network.Offline }),
				En: "true: the agent makes no connection outwards.",
				Ru: "true: агент не устанавливает исходящих соединений.",
			},
			{
				Name: "proxy", Kind: Text, spell: proxy, Example: `"http://proxy.example:3128"`, to: in(func(c *Config) *string { return &c.Network.Proxy }),
				En: "\"system\" (also when nothing is set), \"none\", or http://HOST:PORT. Scripts (PAC) are not run.",
				Ru: "\"system\" (так же, если не задано), \"none\" или http://HOST:PORT. Сценарии PAC не выполняются.",
			},
			{
				Name: "pac", Kind: Text, spell: noScripts, to: func(place) any { return new(string) }, // known, to say more than "unknown key"
			},
			{
				Name: "allow", Kind: List, spell: reach, Example: `["10.0.0.0/8", "tsa.corp.example"]`, to: in(func(c *Config) *[]string { return &c.Network.Allow }),
				En: "Ranges, addresses and host names that are called although they are not public. Without it the agent calls no address inside the organization's network.",
				Ru: "Диапазоны, адреса и имена узлов, к которым можно обращаться, хотя они не в интернете. Без этого агент не обращается к адресам внутри сети организации.",
			},
		},
	},
	{
		Name: "ui", done: noteSetters,
		En: "How the person is asked.",
		Ru: "Как спрашивают человека.",
		Knobs: []Knob{
			{
				Name: "approver", Kind: Text, Words: []string{"window", "pinentry", "terminal"}, Example: `"window"`, to: in(func(c *Config) *string { return &c.UI.Approver }),
				En: "What asks: the window and what can take its place, pinentry, or the terminal.",
				Ru: "Чем спрашивают: окном и тем, что может его заменить, через pinentry или в терминале.",
			},
			{
				Name: "pinentry", Kind: Text, spell: path, Example: `"/usr/bin/pinentry"`, Windows: `'C:\Program Files\GnuPG\bin\pinentry.exe'`, to: in(func(c *Config) *string { return &c.UI.Pinentry }),
				En: "The pinentry program. Without it the usual one is looked for.",
				Ru: "Программа pinentry. Без этого ищется обычная.",
			},
			{
				Name: "language", Kind: Text, Words: []string{"ru", "en"}, Example: `"ru"`, to: in(func(c *Config) *string { return &c.UI.Language }),
				En: "The language of windows, messages and commands. Without it the person chooses, and the system's language counts until then.",
				Ru: "Язык окон, сообщений и команд. Без этого выбирает человек, а до того действует язык системы.",
			},
			{
				Name: "theme", Kind: Text, Words: []string{"light", "dark"}, Example: `"light"`, to: in(func(c *Config) *string { return &c.UI.Theme }),
				En: "Light or dark windows. Without it the person chooses.",
				Ru: "Светлые или тёмные окна. Без этого выбирает человек.",
			},
			{
				Name: "notifications", Kind: Bool, Example: "true", to: in(func(c *Config) **bool { return &c.UI.Notifications }),
				En: "Whether the tray shows notices: a certificate is about to end, a token was plugged in. Without it the person chooses.",
				Ru: "Показывает ли значок уведомления: сертификат скоро закончится, вставлен токен. Без этого выбирает человек.",
			},
			{
				Name: "wait_minutes", Kind: Number, Min: 1, Max: int64(MaxWait / time.Minute), unit: int64(time.Minute), Lowest: true, Example: "10",
				to: in(func(c *Config) *time.Duration { return &c.UI.Wait }),
				En: "How long a window waits for the person before the request is refused. Without it 30 minutes.",
				Ru: "Сколько окно ждёт человека, прежде чем запрос будет отклонён. Без этого 30 минут.",
			},
		},
	},
	{
		Name: "compat",
		En:   "Pages written for other programs. Faces of browser plug-ins belong to the extension and are not switched here.",
		Ru:   "Страницы, написанные для других программ. Замена браузерных плагинов относится к расширению и здесь не переключается.",
		Knobs: []Knob{
			{
				Name: "ncalayer", Kind: Bool, Example: "false", to: in(func(c *Config) **bool { return &c.Compat.NCALayer }),
				En: "Whether pages written for NCALayer are answered. Without it persten compat decides; the default is no.",
				Ru: "Отвечать ли страницам, написанным для NCALayer. Без этого решает persten compat, по умолчанию нет.",
			},
			{
				Name: "nexu", Kind: Bool, Example: "false", to: in(func(c *Config) **bool { return &c.Compat.NexU }),
				En: "Whether pages written for NexU are answered. Without it persten compat decides; the default is no.",
				Ru: "Отвечать ли страницам, написанным для NexU. Без этого решает persten compat, по умолчанию нет.",
			},
			{
				Name: "ncalayer_sites", Kind: List, Policy: true, spell: siteRule, Example: `["https://*.gov.example"]`, to: in(func(c *Config) *[]string { return &c.Compat.NCALayerSites }),
				En: "The only sites that get answers as from NCALayer. They must be allowed as any site. Without it every allowed site gets them.",
				Ru: "Единственные сайты, которым отвечают как NCALayer. Они должны быть разрешены, как любые сайты. Без этого отвечают каждому разрешённому.",
			},
			{
				Name: "nexu_sites", Kind: List, Policy: true, spell: siteRule, Example: `["https://portal.example"]`, to: in(func(c *Config) *[]string { return &c.Compat.NexUSites }),
				En: "The only sites that get answers as from NexU, likewise.",
				Ru: "Единственные сайты, которым отвечают как NexU, так же.",
			},
		},
	},
	{
		Name: "listen",
		En:   "The way in for pages without the extension.",
		Ru:   "Путь для страниц без расширения.",
		Knobs: []Knob{
			{
				Name: "websocket", Kind: Text, spell: listenAddress, Example: `"off"`, to: in(func(c *Config) *string { return &c.Listen.WebSocket }),
				En: "127.0.0.1:PORT, or \"off\" for no port. Without it 127.0.0.1:24117. Browsers with the extension need no port.",
				Ru: "127.0.0.1:PORT или \"off\", чтобы порт не открывать. Без этого 127.0.0.1:24117. Браузерам с расширением порт не нужен.",
			},
		},
	},
	{
		Name: "update",
		En:   "Looking for new versions.",
		Ru:   "Поиск новых версий.",
		Knobs: []Knob{
			{
				Name: "check", Kind: Text, Words: []string{"stable", "off"}, Example: `"off"`, to: in(func(c *Config) *string { return &c.Update.Check }),
				En: "The channel that persten update check looks at; off: it asks nobody. The agent never looks for updates by itself and installs none.",
				Ru: "Канал, в который смотрит persten update check; off: никого не спрашивает. Сам агент обновлений не ищет и не устанавливает.",
			},
			{
				Name: "url", Kind: Text, spell: webURL, Example: `"https://intranet.example/persten/update.json"`, to: in(func(c *Config) *string { return &c.Update.URL }),
				En: "Where the publisher's signed description lies: a copy inside the organization, for machines that reach no other network. Without it the publisher's own address.",
				Ru: "Где лежит подписанное издателем описание: копия внутри организации, для компьютеров без доступа в другие сети. Без этого собственный адрес издателя.",
			},
		},
	},
	forwardSection,
}

func modulePath(_ *source, p string) (string, string) {
	if !filepath.IsAbs(p) {
		return "", "the path of a module must be absolute"
	}
	return filepath.Clean(p), ""
}
