// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"persten/internal/text"
	"persten/proto"
)

// told puts findings into words.
func (d *Doctor) told(list []Finding, lang text.Lang) []proto.DoctorFinding {
	out := make([]proto.DoctorFinding, 0, len(list))
	for _, f := range list {
		out = append(out, proto.DoctorFinding{
			Check: f.Check, Code: f.Code, Subject: f.Subject, Level: proto.DoctorLevel(f.Level),
			Text: f.words(lang), Fix: d.button(f, lang), Fault: d.fault(f.Check),
		})
	}
	return out
}

func (d *Doctor) fault(check string) proto.DoctorFault {
	i := slices.IndexFunc(d.checks, func(c Check) bool { return c.Code == check })
	if i < 0 {
		return proto.DoctorFaultDesk
	}
	return cmp.Or(d.checks[i].Fault, proto.DoctorFaultDesk)
}

// key is where a code's text of some kind is.
func key(code, kind string) string {
	return "doctor." + strings.ReplaceAll(code, "_", "") + "." + kind
}

// words are what was found and what to do, from this area or else from the error catalogue.
func (f Finding) words(lang text.Lang) proto.DoctorText {
	args := maps.Clone(f.Args)
	if args == nil {
		args = map[string]string{}
	}
	args["subject"] = f.Subject
	if check := args["check"]; check != "" {
		args["check"] = Title(check, lang)
	}
	if n, err := strconv.Atoi(args["minutes"]); err == nil {
		args["time"] = span(lang, n)
	}
	if kind := args["kind"]; text.Has("module.reason." + kind) {
		args["reason"], args["advice"] = text.Get(lang, "module.reason."+kind, nil), text.Get(lang, "module.advice."+kind, nil)
		f.Code = "driver_failed"
	}
	switch {
	case f.Level == OK:
		return proto.DoctorText{What: text.Get(lang, key(f.Code, "ok"), args)}
	case text.Has(key(f.Code, "what")):
		return proto.DoctorText{What: text.Get(lang, key(f.Code, "what"), args), Next: text.Get(lang, key(f.Code, "next"), args)}
	}
	what, next := text.Error(lang, f.Code, args)
	return proto.DoctorText{What: what, Next: next}
}

// span is a time in the largest unit of which there are two at least.
func span(lang text.Lang, minutes int) string {
	switch {
	case minutes >= 2*24*60:
		return text.Plural(lang, "count.days", minutes/(24*60))
	case minutes >= 2*60:
		return text.Plural(lang, "count.hours", minutes/60)
	}
	return text.Plural(lang, "count.minutes", minutes)
}

// button offers a finding's repair, with the arguments that one wants.
func (d *Doctor) button(f Finding, lang text.Lang) *proto.DoctorFix {
	i := slices.IndexFunc(d.fixes, func(x Fix) bool { return x.ID == f.Fix })
	if i < 0 {
		return nil
	}
	fix := d.fixes[i]
	b := &proto.DoctorFix{ID: fix.ID, Label: text.Get(lang, key("fix", strings.ReplaceAll(fix.ID, "_", "")), nil), Needs: fix.Needs, Args: map[string]string{}}
	if f.agree {
		b.Needs, b.Label = proto.DoctorNeedConsent, text.Get(lang, key("agree", strings.ReplaceAll(fix.ID, "_", "")), nil)
	}
	for _, name := range fix.Args {
		if value, ok := f.Args[name]; ok {
			b.Args[name] = value
		}
	}
	return b
}

// Title names a check for people.
func Title(check string, lang text.Lang) string { return text.Get(lang, key(check, "title"), nil) }

// repairFailed gives a repair's error its place in the catalogue.
func repairFailed(err error) error {
	var pe *proto.Error
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe
	case errors.As(err, &path):
		return proto.E(proto.CodeFileUnwritable, err, "file", path.Path)
	case errors.As(err, &link):
		return proto.E(proto.CodeFileUnwritable, err, "file", link.New)
	}
	return proto.E(proto.CodeInternal, err)
}
