// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Forward sends the journal and figures to a collector; by policy alone. The zero value sends nothing.
type Forward struct {
	OTLP   string // https://HOST:PORT; http only to this machine
	Syslog string // HOST:PORT, always TLS
	System bool   // whole records to journald or the Windows event log

	CA, Certificate, Key string   // files: whom to believe beside the system's authorities; a certificate of ours and its key
	Fields               []string // groups of [ForwardFields] that leave beside what always does

	Every, MetricsEvery time.Duration
}

// ForwardFields are the groups of fields that leave this machine only where policy names them.
var ForwardFields = []string{"user", "program", "serials", "documents", "details", "owner", "numbers"}

// On reports whether anything is sent.
func (f Forward) On() bool { return f.OTLP != "" || f.Syslog != "" || f.System }

// How often is sent when policy does not say.
const (
	forwardEvery = 10 * time.Second
	metricsEvery = 5 * time.Minute
)

var forwardSection = Section{
	Name: "forward", Policy: true, done: keepForward,
	En: "Where records of the journal and figures go beside the person's own file. What leaves is described in the chapter Fleet.",
	Ru: "Куда, кроме файла человека, передаются записи журнала и показатели. Что именно передаётся, описано в главе Fleet.",
	Knobs: []Knob{
		{
			Name: "otlp", Kind: Text, spell: collectorAddress, Example: `"https://collector.corp.example:4318"`, to: in(func(c *Config) *string { return &c.Forward.OTLP }),
			En: "An OpenTelemetry collector, by its OTLP/HTTP address: https, or http to this computer alone.",
			Ru: "Сборщик OpenTelemetry, адрес OTLP/HTTP: https, а http только для этого же компьютера.",
		},
		{
			Name: "syslog", Kind: Text, spell: hostPort, Example: `"siem.corp.example:6514"`, to: in(func(c *Config) *string { return &c.Forward.Syslog }),
			En: "A syslog server (RFC 5424 over TLS), HOST:PORT.",
			Ru: "Сервер syslog (RFC 5424 поверх TLS), HOST:PORT.",
		},
		{
			Name: "system", Kind: Bool, Example: "true", to: in(func(c *Config) *bool { return &c.Forward.System }),
			En: "true: whole records go to journald or the Windows event log of this computer, too.",
			Ru: "true: записи целиком передаются также в journald или журнал событий Windows этого компьютера.",
		},
		{
			Name: "ca", Kind: Text, spell: absolute, Example: `"/etc/persten/collector-ca.pem"`, Windows: `'C:\ProgramData\Persten\collector-ca.pem'`, to: in(func(c *Config) *string { return &c.Forward.CA }),
			En: "Certificates of authorities in PEM, believed beside the system's for these two servers.",
			Ru: "Сертификаты удостоверяющих центров в PEM, которым для этих двух серверов верят наряду с системными.",
		},
		{
			Name: "certificate", Kind: Text, spell: absolute, Example: `"/etc/persten/desk.pem"`, Windows: `'C:\ProgramData\Persten\desk.pem'`, to: in(func(c *Config) *string { return &c.Forward.Certificate }),
			En: "The certificate by which this computer shows who it is, in PEM. It goes together with key.",
			Ru: "Сертификат, которым этот компьютер подтверждает себя, в PEM. Задаётся вместе с key.",
		},
		{
			Name: "key", Kind: Text, spell: absolute, Example: `"/etc/persten/desk.key"`, Windows: `'C:\ProgramData\Persten\desk.key'`, to: in(func(c *Config) *string { return &c.Forward.Key }),
			En: "Its key, in PEM. Every user whose session sends must be able to read it: it proves the computer, not a person.",
			Ru: "Его ключ, в PEM. Его должны уметь прочитать все пользователи, чьи сеансы передают записи: он подтверждает компьютер, а не человека.",
		},
		{
			Name: "fields", Kind: List, Words: ForwardFields, Example: `["user", "documents"]`, to: in(func(c *Config) *[]string { return &c.Forward.Fields }),
			En: "What is told about people and documents beside what always leaves. Without it nobody's name, INN or SNILS and no document's name leaves the computer.",
			Ru: "Что сообщается о людях и документах сверх того, что передаётся всегда. Без этого имена, ИНН, СНИЛС и названия документов компьютер не покидают.",
		},
		{
			Name: "interval_seconds", Kind: Number, Min: 1, Max: 3600, unit: int64(time.Second), Example: "10", to: in(func(c *Config) *time.Duration { return &c.Forward.Every }),
			En: "How often new records are sent. Without it every 10 seconds.",
			Ru: "Как часто передаются новые записи. Без этого каждые 10 секунд.",
		},
		{
			Name: "metrics_seconds", Kind: Number, Min: 10, Max: 86400, unit: int64(time.Second), Example: "300", to: in(func(c *Config) *time.Duration { return &c.Forward.MetricsEvery }),
			En: "How often figures are sent. Without it every 5 minutes.",
			Ru: "Как часто передаются показатели. Без этого каждые 5 минут.",
		},
	},
}

func keepForward(s *source, c *Config, _ []numbered) {
	if s.has("forward.certificate") != s.has("forward.key") {
		s.wrong("forward", "certificate and key go together")
	}
	if !s.has("forward") {
		return
	}
	f := &c.Forward
	if f.Every == 0 {
		f.Every = forwardEvery
	}
	if f.MetricsEvery == 0 {
		f.MetricsEvery = metricsEvery
	}
}

// collectorAddress is where OTLP can go: in the clear to this machine alone.
func collectorAddress(_ *source, v string) (string, string) {
	v = strings.TrimRight(v, "/")
	u, err := url.Parse(v)
	if err == nil && webAddress(v) && ascii(v) && u.RawQuery == "" {
		a, err := netip.ParseAddr(u.Hostname())
		if u.Scheme == "https" || err == nil && a.IsLoopback() {
			return v, ""
		}
	}
	return "", "must be https://HOST[:PORT], or http:// to 127.0.0.1, without a user name"
}

// ReplaceFile writes a file of this user's alone, whole or not at all.
func ReplaceFile(path string, data []byte) error { return replaceFile(path, data) }
