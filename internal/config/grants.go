// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"path/filepath"
	"strings"
)

// maxUses bounds what an hour or a day may be set to.
const maxUses = 1_000_000

var unattendedSection = Section{
	Name: "unattended", Many: true, Policy: true, entry: entry[Unattended], done: keepGrants,
	En: "Signatures the administrator approves in advance: by a site or by a user of the machine, with one certificate, so many an hour or a day. Nobody is asked; each is in the journal as approved by policy.",
	Ru: "Подписи, которые администратор подтверждает заранее: для сайта или пользователя компьютера, одним сертификатом, столько-то в час или в день. Человека не спрашивают; в журнале каждая отмечена как подтверждённая политикой.",
	Knobs: []Knob{
		{
			Name: "origin", Kind: Text, spell: exactSite, Example: `"https://erp.corp.example"`, to: of(func(u *Unattended) *string { return &u.Origin }),
			En: "The site, written out. It must be allowed, too. Either origin or user stands in an entry.",
			Ru: "Сайт, без звёздочек. Он должен быть и разрешён. В записи стоит либо origin, либо user.",
		},
		{
			Name: "user", Kind: Text, Example: `"erp"`, to: of(func(u *Unattended) *string { return &u.User }),
			En: "The user of the machine whose programs ask over the user socket. It grants nothing to pages.",
			Ru: "Пользователь компьютера, чьи программы обращаются через сокет пользователя. Страницам это ничего не разрешает.",
		},
		{
			Name: "certificate", Kind: Text, spell: fingerprint, Example: `"0123456789abcdef0123456789abcdef01234567"`, to: of(func(u *Unattended) *string { return &u.Certificate }),
			En: "SHA-256 of the certificate, as persten certs shows it, or its SHA-1 thumbprint.",
			Ru: "SHA-256 сертификата, как его показывает persten certs, или отпечаток SHA-1.",
		},
		{
			Name: "per_hour", Kind: Number, Min: 1, Max: maxUses, Example: "60", to: of(func(u *Unattended) *int { return &u.PerHour }),
			En: "Most signatures in any hour. At least one of per_hour and per_day stands in an entry. Over it the answer is unattended_limit; the person is not asked instead.",
			Ru: "Наибольшее число подписей за любой час. В записи стоит хотя бы одно из per_hour и per_day. Сверх него ответ unattended_limit; человека вместо этого не спрашивают.",
		},
		{
			Name: "per_day", Kind: Number, Min: 1, Max: maxUses, Example: "500", to: of(func(u *Unattended) *int { return &u.PerDay }),
			En: "Most signatures in any 24 hours.",
			Ru: "Наибольшее число подписей за любые 24 часа.",
		},
		{
			Name: "pin_file", Kind: Text, spell: pinPath, Example: `"/etc/persten/erp.pin"`, Windows: `'C:\ProgramData\Persten\erp.pin'`, to: of(func(u *Unattended) *string { return &u.PINFile }),
			En: "A file with the PIN: one line, mode 0400 or 0600, of root or the session's user. It is read for each login; a wrong PIN is tried once, then the rule stops until the file is changed and the session started anew. %d/NAME is a credential that systemd gives the unit (LoadCredential).",
			Ru: "Файл с PIN-кодом: одна строка, права 0400 или 0600, владелец root или пользователь сеанса. Читается при каждом входе; неверный PIN-код пробуют один раз, затем правило останавливается, пока файл не изменят и сеанс не запустят снова. %d/NAME: учётные данные, которые юниту передаёт systemd (LoadCredential).",
		},
	},
}

var limitSection = Section{
	Name: "limit", Many: true, Policy: true, entry: entry[Limit], done: keepLimits,
	En: "How much may be signed, whoever approves it. All entries that fit a request hold. Without origin and user an entry is about everything its machine's users sign, each counted alone.",
	Ru: "Сколько можно подписывать, кто бы это ни подтверждал. Действуют все записи, подходящие к запросу. Без origin и user запись относится ко всему, что подписывают пользователи компьютера, каждый считается отдельно.",
	Knobs: []Knob{
		{
			Name: "origin", Kind: Text, spell: siteRule, Example: `"https://*.corp.example"`, to: of(func(l *Limit) *string { return &l.Origin }),
			En: "A site, without a port on all its ports, or https://*.DOMAIN, whose sites then share the numbers.",
			Ru: "Сайт, без порта на всех его портах, или https://*.DOMAIN, сайты которого тогда делят числа между собой.",
		},
		{
			Name: "user", Kind: Text, Example: `"erp"`, to: of(func(l *Limit) *string { return &l.User }),
			En: "A user of the machine, by name: what their session signs for pages and programs. It also holds for a session whose user the system cannot name.",
			Ru: "Пользователь компьютера, по имени: то, что его сеанс подписывает для страниц и программ. Действует и для сеанса, имени пользователя которого система не знает.",
		},
		{
			Name: "per_hour", Kind: Number, Min: 1, Max: maxUses, Example: "200", to: of(func(l *Limit) *int { return &l.PerHour }),
			En: "Most signatures in any hour; each document of a batch is one. Over it the answer is limit_reached, and nobody is asked.",
			Ru: "Наибольшее число подписей за любой час; каждый документ пакета считается. Сверх него ответ limit_reached, человека не спрашивают.",
		},
		{
			Name: "per_day", Kind: Number, Min: 1, Max: maxUses, Example: "1000", to: of(func(l *Limit) *int { return &l.PerDay }),
			En: "Most signatures in any 24 hours.",
			Ru: "Наибольшее число подписей за любые 24 часа.",
		},
		{
			Name: "documents", Kind: Number, Min: 1, Max: maxBatch, Example: "50", to: of(func(l *Limit) *int { return &l.Documents }),
			En: "Most documents in one request. Over it the answer is limit_documents.",
			Ru: "Наибольшее число документов в одном запросе. Сверх него ответ limit_documents.",
		},
		{
			Name: "max_mib", Kind: Number, Min: 1, Max: MaxContent >> 20, unit: 1 << 20, Example: "100", to: of(func(l *Limit) *int64 { return &l.Size }),
			En: "The largest document, in MiB. Over it the answer is content_too_large.",
			Ru: "Наибольший документ, в МиБ. Сверх него ответ content_too_large.",
		},
	},
}

// maxBatch is how many documents one request may have at most; package signing says the same.
const maxBatch = 1000

func keepGrants(s *source, c *Config, entries []numbered) {
	for _, e := range entries {
		s.need(e.at, "certificate")
		if s.has(e.at+".origin") == s.has(e.at+".user") {
			s.wrong(e.at, "needs either origin or user")
		}
		if !s.has(e.at+".per_hour") && !s.has(e.at+".per_day") {
			s.wrong(e.at, "needs per_hour or per_day")
		}
		c.Unattended = append(c.Unattended, *e.v.(*Unattended))
	}
}

func keepLimits(s *source, c *Config, entries []numbered) {
	for _, e := range entries {
		l := *e.v.(*Limit)
		if s.has(e.at+".origin") && s.has(e.at+".user") {
			s.wrong(e.at, "has both origin and user")
		}
		if l.PerHour+l.PerDay+l.Documents == 0 && l.Size == 0 {
			s.wrong(e.at, "needs per_hour, per_day, documents or max_mib")
		}
		c.Limits = append(c.Limits, l)
	}
}

func fingerprint(_ *source, v string) (string, string) {
	v = strings.ToLower(v)
	if len(v) != 64 && len(v) != 40 || strings.Trim(v, "0123456789abcdef") != "" {
		return "", "must be 64 or 40 hexadecimal digits"
	}
	return v, ""
}

func absolute(_ *source, v string) (string, string) {
	if !filepath.IsAbs(v) {
		return "", "must be an absolute path"
	}
	return v, ""
}

// pinPath is an absolute path, or %d/NAME for a credential of systemd.
func pinPath(s *source, v string) (string, string) {
	if name, ok := strings.CutPrefix(v, "%d/"); ok {
		if name == "" || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			return "", "must be an absolute path, or %d/NAME for a credential of systemd"
		}
		return v, ""
	}
	return absolute(s, v)
}
