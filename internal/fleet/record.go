// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"persten/internal/config"
	"persten/internal/journal"
)

// attr is one thing told of a record: a string, an int64 or a list of strings.
type attr struct {
	name  string
	value any
}

// The groups of fields that leave only where policy names them, see config.ForwardFields.
const (
	groupUser      = "user"
	groupProgram   = "program"
	groupSerials   = "serials"
	groupDocuments = "documents"
	groupDetails   = "details"
	groupOwner     = "owner"   // of a certificate, in figures
	groupNumbers   = "numbers" // INN, SNILS, OGRN: in figures, and left to stand in texts

	groupTexts = "texts" // none of policy's: where it names both details and documents
)

// field is one thing of a record that may leave the machine.
type field struct {
	name  string
	group string // empty: always
	get   func(journal.Line) any
}

// fields is all that leaves; what is empty in a record is left out.
var fields = []field{
	{"seq", "", func(l journal.Line) any { return int64(l.Seq) }},
	{"type", "", func(l journal.Line) any { return l.Type }},
	{"of", "", func(l journal.Line) any { return int64(l.Of) }},
	{"kind", "", func(l journal.Line) any { return l.Kind }},
	{"result", "", func(l journal.Line) any { return l.Result }},
	{"origin", "", func(l journal.Line) any { return site(l.Origin) }},
	{"top", "", func(l journal.Line) any { return site(l.Top) }},
	{"via", "", func(l journal.Line) any { return l.Via }},
	{"by", "", func(l journal.Line) any { return l.By }},
	{"profile", "", func(l journal.Line) any { return l.Profile }},
	{"algorithm", "", func(l journal.Line) any { return l.Algorithm }},
	{"certificate", "", func(l journal.Line) any { return l.Thumbprint }},
	{"documents", "", func(l journal.Line) any { return int64(len(l.Documents)) }},
	{"bytes", "", bytesOf},
	{"approval", "", func(l journal.Line) any { return l.Approval }},
	{"ref", "", func(l journal.Line) any { return l.Ref }},
	{"version", "", func(l journal.Line) any { return l.Version }},
	{"prev", "", func(l journal.Line) any { return l.Prev }},
	{"user", groupUser, func(l journal.Line) any { return l.User }},
	{"program", groupProgram, func(l journal.Line) any { return l.Program }},
	{"certificate_serial", groupSerials, func(l journal.Line) any { return l.CertificateSerial }},
	{"token_serial", groupSerials, func(l journal.Line) any { return l.TokenSerial }},
	{"document_names", groupDocuments, func(l journal.Line) any { return each(l, func(d journal.Document) string { return d.Name }) }},
	{"document_digests", groupDocuments, func(l journal.Line) any { return each(l, func(d journal.Document) string { return d.Digest }) }},
	{"details", groupDetails, func(l journal.Line) any { return arguments(l, true) }},
	{"texts", groupTexts, func(l journal.Line) any { return arguments(l, false) }},
}

// plain are arguments of a result that say nothing of people and their files. Others, free text among them, may.
var plain = []string{
	"algorithm", "attempts", "column", "date", "field", "hours", "limit", "line", "method", "plugin", "port", "reason", "reasons", "right",
	"seconds", "size", "through", "version",
}

func bytesOf(l journal.Line) any {
	var sum int64
	for _, d := range l.Documents {
		sum += d.Size
	}
	return sum
}

func each(l journal.Line, of func(journal.Document) string) any {
	list := make([]string, len(l.Documents))
	for i, d := range l.Documents {
		list[i] = of(d)
	}
	return list
}

// arguments are those of a result that are plain, or the others, name=value.
func arguments(l journal.Line, wanted bool) any {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(l.Args)) {
		if slices.Contains(plain, name) == wanted {
			list = append(list, name+"="+l.Args[name])
		}
	}
	return list
}

// site is an origin in its one form. What is none, "null" or what a program made up, could hold anything.
func site(s string) any {
	if o, err := config.ParseOrigin(s); s == "" || err == nil && o == s {
		return s
	}
	return "-"
}

// told is what of a record is told.
type told map[string]bool

func newTold(groups []string) told {
	t := told{"": true}
	for _, g := range groups {
		t[g] = true
	}
	t[groupTexts] = t[groupDetails] && t[groupDocuments]
	return t
}

// of lists what is told of a record.
func (t told) of(l journal.Line) []attr {
	var list []attr
	for _, f := range fields {
		if !t[f.group] {
			continue
		}
		v := f.get(l)
		if f.group != "" && f.group != groupSerials && f.name != "document_digests" {
			v = t.masked(v)
		}
		if !empty(v) {
			list = append(list, attr{f.name, v})
		}
	}
	return list
}

func empty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case int64:
		return v == 0
	case []string:
		return len(v) == 0
	}
	return true
}

// numbers look like INN (10 or 12 digits), SNILS (123-456-789 00, the last two of which may stand apart), passports, OGRN (13 or 15) and
// anything longer, however they are parted.
var numbers = regexp.MustCompile(`\p{Nd}(?:[^\pL\pN]{0,3}\p{Nd}){8,}`)

// text takes numbers of people and organizations out of a text, such as the name of a file, unless they are told.
func (t told) text(s string) string {
	if t[groupNumbers] {
		return s
	}
	return numbers.ReplaceAllString(s, "***")
}

// masked is text for what a field holds.
func (t told) masked(v any) any {
	switch v := v.(type) {
	case string:
		return t.text(v)
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = t.text(s)
		}
		return out
	}
	return v
}

// maxMessage is what a syslog server takes at least, less room for the header (RFC 5425 says 8192 octets).
const maxMessage = 7 << 10

// message is what is told of a record as one line of JSON, with its id. What is too long leaves its lists out, and then the ends
// of its longest texts.
func (t told) message(l journal.Line) string {
	list := t.of(l)
	text := flat(l, list)
	if len(text) <= maxMessage {
		return text
	}
	list = slices.DeleteFunc(list, func(a attr) bool { _, long := a.value.([]string); return long })
	list = append(list, attr{"shortened", int64(1)})
	text = flat(l, list)
	for most := 512; len(text) > maxMessage; most /= 2 {
		text = flat(l, shortened(list, most))
	}
	return text
}

// shortened cuts texts to most bytes.
func shortened(list []attr, most int) []attr {
	out := slices.Clone(list)
	for i, a := range out {
		if s, ok := a.value.(string); ok && len(s) > most {
			out[i].value = strings.ToValidUTF8(s[:most], "")
		}
	}
	return out
}

func flat(l journal.Line, list []attr) string {
	m := map[string]any{"id": l.Hash, "time": l.Time}
	for _, a := range list {
		m[a.name] = a.value
	}
	data, err := json.Marshal(m)
	if err != nil {
		return "{}" // strings and numbers always marshal
	}
	return string(data)
}

// bad reports whether a record tells of something that did not go well.
func bad(l journal.Line) bool { return l.Result != "" && l.Result != journal.OK }

// title says in a few words what a record is.
func title(l journal.Line) string {
	if l.Result != "" {
		return l.Kind + ": " + l.Result
	}
	return l.Kind + ": " + l.Type
}
