// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"context"
	"log/slog"
	"strings"
)

// Handler wraps a log handler so that no secret reaches it: values of this package's types, and any value whose
// attribute is named like a secret, are replaced by "[PIN]", in groups as well.
func Handler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ next slog.Handler }

func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(redact(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = redact(a)
	}
	return handler{h.next.WithAttrs(clean)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.next.WithGroup(name)} }

func redact(a slog.Attr) slog.Attr {
	if secretName(a.Key) {
		return slog.String(a.Key, redacted)
	}
	if a.Value.Kind() == slog.KindAny {
		switch a.Value.Any().(type) {
		case PIN, *PIN, *Buffer:
			return slog.String(a.Key, redacted)
		}
	}
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup {
		return a
	}
	group := a.Value.Group()
	clean := make([]slog.Attr, len(group))
	for i, g := range group {
		clean[i] = redact(g)
	}
	return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
}

// secretName reports whether an attribute of this name could hold a secret.
func secretName(key string) bool {
	switch strings.ToLower(key) {
	case "pin", "puk", "password", "passwd", "passphrase", "pass", "secret":
		return true
	}
	return false
}
