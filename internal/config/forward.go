// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
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

// How often is sent when policy does not say, and between what it may choose.
const (
	forwardEvery, minForward, maxForward = 10 * time.Second, time.Second, time.Hour
	metricsEvery, minMetrics, maxMetrics = 5 * time.Minute, 10 * time.Second, 24 * time.Hour
)

type forwardTable struct {
	OTLP        *string  `toml:"otlp"`
	Syslog      *string  `toml:"syslog"`
	System      *bool    `toml:"system"`
	CA          *string  `toml:"ca"`
	Certificate *string  `toml:"certificate"`
	Key         *string  `toml:"key"`
	Fields      []string `toml:"fields"`
	Interval    *int64   `toml:"interval_seconds"`
	Metrics     *int64   `toml:"metrics_seconds"`
}

func (t forwardTable) empty() bool {
	return t.OTLP == nil && t.Syslog == nil && t.System == nil && t.CA == nil && t.Certificate == nil && t.Key == nil &&
		t.Fields == nil && t.Interval == nil && t.Metrics == nil
}

// forward takes [forward].
func (s *source) forward(c *Config, d *document) error {
	t := d.Forward
	if t.empty() {
		return nil
	}
	if !s.policy {
		return s.at("forward", "only the machine policy may forward the journal")
	}
	f := Forward{System: t.System != nil && *t.System, Every: forwardEvery, MetricsEvery: metricsEvery}
	if t.OTLP != nil {
		if f.OTLP = strings.TrimRight(*t.OTLP, "/"); !collectorAddress(f.OTLP) {
			return s.at("forward.otlp", "must be https://HOST[:PORT], or http:// to 127.0.0.1, without a user name")
		}
	}
	if t.Syslog != nil {
		if f.Syslog = *t.Syslog; !hostPort(f.Syslog) {
			return s.at("forward.syslog", "must be HOST:PORT of a syslog server with TLS")
		}
	}
	if err := s.forwardFiles(t, &f); err != nil {
		return err
	}
	if err := s.forwardFields(t.Fields, &f); err != nil {
		return err
	}
	if err := s.seconds("forward.interval_seconds", t.Interval, minForward, maxForward, &f.Every); err != nil {
		return err
	}
	if err := s.seconds("forward.metrics_seconds", t.Metrics, minMetrics, maxMetrics, &f.MetricsEvery); err != nil {
		return err
	}
	c.Forward = f
	return nil
}

func (s *source) forwardFiles(t forwardTable, f *Forward) (err error) {
	for _, file := range []struct {
		at   string
		from *string
		to   *string
	}{{"forward.ca", t.CA, &f.CA}, {"forward.certificate", t.Certificate, &f.Certificate}, {"forward.key", t.Key, &f.Key}} {
		if file.from == nil {
			continue
		}
		if *file.to, err = s.path(file.at, *file.from); err != nil {
			return err
		}
	}
	if (f.Certificate == "") != (f.Key == "") {
		return s.at("forward", "certificate and key go together")
	}
	return nil
}

func (s *source) forwardFields(list []string, f *Forward) error {
	for i, name := range list {
		at := fmt.Sprintf("forward.fields[%d]", i)
		if !slices.Contains(ForwardFields, name) {
			return s.at(at, "must be one of "+strings.Join(ForwardFields, ", "))
		}
		if slices.Contains(f.Fields, name) {
			return s.at(at, "stands there twice")
		}
		f.Fields = append(f.Fields, name)
	}
	return nil
}

func (s *source) seconds(at string, from *int64, least, most time.Duration, to *time.Duration) error {
	if from == nil {
		return nil
	}
	if *from < int64(least/time.Second) || *from > int64(most/time.Second) {
		return s.at(at, fmt.Sprintf("must be from %d to %d", least/time.Second, most/time.Second))
	}
	*to = time.Duration(*from) * time.Second
	return nil
}

// collectorAddress reports whether s is where OTLP can go: in the clear to this machine alone.
func collectorAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || s == "" || !webAddress(s) || !ascii(s) || u.RawQuery != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.IsLoopback()
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	_, ok := reachable(host)
	return err == nil && bad == nil && n > 0 && ok && ascii(s)
}

// ReplaceFile writes a file of this user's alone, whole or not at all.
func ReplaceFile(path string, data []byte) error { return replaceFile(path, data) }
