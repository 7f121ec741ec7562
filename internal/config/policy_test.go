// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"persten/proto"
)

// badPolicy is one of testdata/policies.txtar.
type badPolicy struct {
	name, detail string
	line         int
	text         []byte
}

func badPolicies(t testing.TB) (list []badPolicy) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/policies.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		number, rest, _ := strings.Cut(f.Name, " ")
		line, detail, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		list = append(list, badPolicy{number, detail, n, f.Data})
	}
	if len(list) < 50 {
		t.Fatalf("only %d policies", len(list))
	}
	return list
}

// TestMalformedPolicies: each ends Load with its line, and nothing of it is used.
func TestMalformedPolicies(t *testing.T) {
	for _, bad := range badPolicies(t) {
		err := defaults().merge("policy.toml", bad.text, true)
		var e *proto.Error
		if !errors.As(err, &e) || e.Code != proto.CodePolicyInvalid {
			t.Errorf("%s %.60q: error %v", bad.name, bad.text, err)
			continue
		}
		if e.Args["line"] != strconv.Itoa(bad.line) || !strings.Contains(e.Args["detail"], bad.detail) {
			t.Errorf("%s %.60q: %v, want line %d and %q", bad.name, bad.text, e.Args, bad.line, bad.detail)
		}
		if d := e.Args["detail"]; d == "" || len(d) > 200 || strings.ContainsAny(d, "\n\x00") {
			t.Errorf("%s: detail %q is not a short sentence", bad.name, d)
		}
	}
}

// examples is a policy in which every knob stands, by the example of the table.
func examples() string {
	var b strings.Builder
	for _, t := range Sections() {
		var entry []string
		for _, k := range t.Knobs {
			if runtime.GOOS == "windows" && k.Windows != "" {
				k.Example = k.Windows
			}
			switch {
			case k.Example == "": // known to be refused
			case t.Many && k.Name == "user": // not beside origin
			case t.Many:
				entry = append(entry, k.Name+" = "+k.Example)
			default:
				b.WriteString(t.Name + "." + k.Name + " = " + k.Example + "\n")
			}
		}
		if t.Many {
			b.WriteString(t.Name + " = [{ " + strings.Join(entry, ", ") + " }]\n")
		}
	}
	return b.String()
}

// TestExamples: the example of every knob can be used, and sets something.
func TestExamples(t *testing.T) {
	c := defaults()
	if err := c.merge("policy.toml", []byte(examples()), true); err != nil {
		t.Fatal(err)
	}
	fresh := defaults()
	for _, s := range Sections() {
		for _, k := range s.Knobs {
			if s.Many || k.Example == "" {
				continue
			}
			now, known := c.Get(s.Name + "." + k.Name)
			before, _ := fresh.Get(s.Name + "." + k.Name)
			if !known || now == nil && before == nil || reflect.DeepEqual(now, before) && s.Name != "ui" {
				t.Errorf("%s.%s: %v, before %v", s.Name, k.Name, now, before)
			}
		}
	}
	if len(c.Unattended) != 1 || len(c.Limits) != 1 || len(c.Modules) != 1 || c.Limits[0].Size != 100<<20 || c.UI.Wait != 10*time.Minute {
		t.Errorf("%+v", c)
	}
}

// TestTable: every knob has what documents and templates need.
func TestTable(t *testing.T) {
	for _, s := range Sections() {
		if s.En == "" || s.Ru == "" || s.Many != (s.entry != nil) {
			t.Errorf("section %s is not whole", s.Name)
		}
		for _, k := range s.Knobs {
			if k.Name == "pac" {
				continue
			}
			if k.En == "" || k.Ru == "" || k.Example == "" || k.to == nil || k.Kind == Number && k.Max < k.Min {
				t.Errorf("knob %s.%s is not whole", s.Name, k.Name)
			}
			if strings.ContainsAny(k.En, "абвгдежз") || !strings.ContainsAny(k.Ru, "аеиоу") {
				t.Errorf("knob %s.%s: languages", s.Name, k.Name)
			}
		}
	}
}

// TestPolicyOnly: what policy alone may set is refused in the person's file, knob by knob.
func TestPolicyOnly(t *testing.T) {
	tried := 0
	for _, s := range Sections() {
		for _, k := range s.Knobs {
			if !s.Policy && !k.Policy {
				continue
			}
			text := s.Name + "." + k.Name + " = " + k.Example + "\n"
			if s.Many {
				text = s.Name + " = [{ " + k.Name + " = " + k.Example + " }]\n"
			}
			_, err := read(text, false)
			if e := proto.AsError(err); err == nil || e.Code != proto.CodeConfigInvalid || !strings.Contains(e.Args["detail"], "only the machine policy") {
				t.Errorf("%s: %v", text, err)
			}
			tried++
		}
	}
	if tried < 20 {
		t.Errorf("only %d knobs tried", tried)
	}
}

// TestDenied: what policy denies nobody allows.
func TestDenied(t *testing.T) {
	c, err := read("[origins]\nallow = [\"https://*.corp.example\", \"https://both.example\"]\ndeny = [\"https://bad.corp.example\", \"https://both.example\", \"https://*.worse.example\"]\n", true)
	if err != nil {
		t.Fatal(err)
	}
	c.Origins.Allow = []string{"https://x.worse.example"}
	o := openOrigins(t, t.TempDir()+"/o.json", c)
	for origin, want := range map[string]bool{
		"https://good.corp.example": true, "https://bad.corp.example": false, "https://bad.corp.example:8443": false, "https://y.worse.example:1": false, "https://both.example": false, "https://x.worse.example": false,
	} {
		if allowed, known := o.Decision(origin); allowed != want || !known {
			t.Errorf("%s: %v, %v", origin, allowed, known)
		}
	}
	if _, known := o.Decision("https://worse.example"); known {
		t.Error("a wildcard took its own domain")
	}
	for _, change := range []func(string) error{o.Allow, o.Deny, o.Forget} {
		if err := change("https://x.worse.example"); !errors.Is(err, proto.CodePolicyForbids) {
			t.Errorf("change: %v", err)
		}
	}
	list, err := o.List()
	if err != nil || !slices.ContainsFunc(list, func(l proto.Origin) bool { return l.Origin == "https://both.example" && !l.Allowed }) {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestWithheldSites: without the right there are only the sites of policy, whatever was said before.
func TestWithheldSites(t *testing.T) {
	file := t.TempDir() + "/o.json"
	before := openOrigins(t, file, nil)
	if err := errors.Join(before.Allow("https://mine.example"), before.SetHidden("https://mine.example", true)); err != nil {
		t.Fatal(err)
	}
	c, err := read("[origins]\nallow = [\"https://theirs.example\"]\n", true)
	if err != nil {
		t.Fatal(err)
	}
	c.Origins.Allow = []string{"https://file.example"}
	o := openOrigins(t, file, c)
	o.Withhold([]proto.Right{proto.RightSites})
	for origin, want := range map[string]bool{"https://theirs.example": true, "https://mine.example": false, "https://file.example": false, "https://new.example": false} {
		if allowed, known := o.Decision(origin); allowed != want || !known {
			t.Errorf("%s: %v, %v", origin, allowed, known)
		}
	}
	for _, change := range []func(string) error{o.Allow, o.Deny, o.Forget} {
		if err := change("https://new.example"); !errors.Is(err, proto.CodeRightMissing) {
			t.Errorf("change: %v", err)
		}
	}
	if list, err := o.List(); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	o.Withhold([]proto.Right{proto.RightHidden})
	if allowed, known := o.Hidden("https://mine.example"); allowed || !known {
		t.Error("the right for what cannot be shown was not withheld")
	}
	if err := o.SetHidden("https://mine.example", true); !errors.Is(err, proto.CodeRightMissing) {
		t.Errorf("SetHidden: %v", err)
	}
}

func TestWithheld(t *testing.T) {
	r := Rights{Approve: []string{"signers"}, Keys: []string{}, Journal: []string{"audit", "staff"}}
	for _, c := range []struct {
		groups []string
		want   []proto.Right
	}{
		{nil, []proto.Right{proto.RightApprove, proto.RightKeys, proto.RightJournal}},
		{[]string{"staff"}, []proto.Right{proto.RightApprove, proto.RightKeys}},
		{[]string{"signers", "audit"}, []proto.Right{proto.RightKeys}},
		{[]string{"signer"}, []proto.Right{proto.RightApprove, proto.RightKeys, proto.RightJournal}},
	} {
		if got := r.Withheld(c.groups); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v", c.groups, got)
		}
	}
	if got := (Rights{}).Withheld(nil); got != nil {
		t.Errorf("without a policy: %v", got)
	}
}

// TestLimitCovers: nobody gets past a limit by another port, or by having no name.
func TestLimitCovers(t *testing.T) {
	for _, c := range []struct {
		limit        Limit
		origin, user string
		want         bool
	}{
		{Limit{}, "https://a.example", "erp", true},
		{Limit{}, "", "", true},
		{Limit{User: "erp"}, "", "erp", true},
		{Limit{User: "erp"}, "", "erp2", false},
		{Limit{User: "erp"}, "https://a.example", "", true},
		{Limit{Origin: "https://a.example"}, "https://a.example:8443", "erp", true},
		{Limit{Origin: "https://*.a.example"}, "https://b.a.example:8443", "erp", true},
		{Limit{Origin: "https://a.example"}, "", "erp", false},
	} {
		if got := c.limit.Covers(c.origin, c.user); got != c.want {
			t.Errorf("%+v, %q, %q: %v", c.limit, c.origin, c.user, got)
		}
	}
}
