// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"persten/proto"
)

type (
	values map[string]any
	keys   map[string]*registryKey
)

// list is a key whose values are entries.
func list(entries ...any) *registryKey {
	v := values{}
	for i, e := range entries {
		v[strconv.Itoa(i+1)] = e
	}
	return &registryKey{values: v}
}

// TestRegistry: the registry says the same as a file.
func TestRegistry(t *testing.T) {
	file := `
[ui]
language = "ru"
wait_minutes = 5
notifications = false
[origins]
allow = ["https://one.example", "https://*.corp.example"]
[rights]
keys = []
[listen]
websocket = "off"
`
	file += "[[unattended]]\nuser = 'CORP\\erp'\ncertificate = \"" + fingerprint64 + "\"\nper_day = 3\n" +
		"[[limit]]\nper_hour = 7\n[[limit]]\norigin = \"https://one.example\"\nper_day = 8\n"
	want, err := read(file, true)
	if err != nil {
		t.Fatal(err)
	}
	limits := list(`{ per_hour = 7 } # everybody`, `{ origin = "https://one.example", per_day = 8 }`)
	root := &registryKey{keys: keys{
		"ui":         {values: values{"language": "ru", "wait_minutes": uint64(5), "notifications": uint64(0)}},
		"origins":    {keys: keys{"allow": list("https://one.example", "https://*.corp.example")}},
		"rights":     {keys: keys{"keys": list()}},
		"listen":     {values: values{"websocket": "off"}},
		"unattended": list(`{ user = 'CORP\erp', certificate = "` + fingerprint64 + `", per_day = 3 }`),
		"limit":      limits,
	}}
	got := defaults()
	if err := got.mergeRegistry(root); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestRegistryOrder: ten comes after nine.
func TestRegistryOrder(t *testing.T) {
	var entries []any
	for i := range 12 {
		entries = append(entries, "g"+strconv.Itoa(i))
	}
	c := defaults()
	if err := c.mergeRegistry(&registryKey{keys: keys{"rights": {keys: keys{"approve": list(entries...)}}}}); err != nil {
		t.Fatal(err)
	}
	if g := c.Rights.Approve; len(g) != 12 || g[9] != "g9" || g[11] != "g11" {
		t.Errorf("%v", g)
	}
}

// TestRegistryMalformed: what is wrong ends Load and is named by its place.
func TestRegistryMalformed(t *testing.T) {
	under := func(name string, k *registryKey) *registryKey { return &registryKey{keys: keys{name: k}} }
	for _, c := range []struct {
		root          *registryKey
		place, detail string
	}{
		{&registryKey{values: values{"language": "ru"}}, `\language`, "unknown key language"},
		{under("colour", list()), `\colour`, "unknown key colour"},
		{under("ui", &registryKey{values: values{"colour": "red"}}), `\ui\colour`, "unknown key ui.colour"},
		{under("ui", &registryKey{values: values{"language": uint64(1)}}), `\ui\language`, "wrong kind"},
		{under("ui", &registryKey{values: values{"language": nil}}), `\ui\language`, "wrong kind"},
		{under("ui", &registryKey{values: values{"language": "de"}}), `\ui\language`, `must be "ru", "en"`},
		{under("ui", &registryKey{values: values{"wait_minutes": uint64(31)}}), `\ui\wait_minutes`, "from 1 to 30"},
		{under("ui", &registryKey{values: values{"wait_minutes": uint64(1 << 63)}}), `\ui\wait_minutes`, ""},
		{under("ui", &registryKey{values: values{"notifications": uint64(2)}}), `\ui\notifications`, "wrong kind"},
		{under("ui", &registryKey{values: values{"notifications": "1"}}), `\ui\notifications`, "wrong kind"},
		{under("ui", &registryKey{keys: keys{"language": list("ru")}}), `\ui\language`, "wrong kind"},
		{under("origins", &registryKey{values: values{"allow": "https://a.example"}}), `\origins\allow`, "wrong kind"},
		{under("origins", under("allow", list("https://a.example", "https://*.com"))), `\origins\allow\2`, "somebody can register"},
		{under("origins", under("allow", list("https://a.example", uint64(7)))), `\origins\allow\2`, "wrong kind"},
		{under("origins", under("allow", &registryKey{values: values{"first": "https://a.example"}})), `\origins\allow\first`, "named 1, 2, 3"},
		{under("origins", under("allow", under("deep", list()))), `\origins\allow`, "wrong kind"},
		{under("rights", under("approve", list("a\nb"))), `\rights\approve\1`, "control characters"},
		{under("limit", list(`{ per_hour = 1 }`, `{ per_hour = 0 }`)), `\limit\2`, "from 1 to"},
		{under("limit", list(`{ per_hour = 1 }, { per_day = 1 }`)), `\limit\1`, "must be one table"},
		{under("limit", list(`per_hour = 1`)), `\limit\1`, "must be one table"},
		{under("limit", list("{ per_hour = 1 }\nui.language = \"ru\"")), `\limit\1`, "must be one table"},
		{under("limit", list(`{ per_hour = 1 } ]`)), `\limit\1`, "must be one table"},
		{under("limit", list(uint64(1))), `\limit\1`, "must be one table"},
		{under("limit", under("1", list())), `\limit`, "wrong kind"},
		{under("unattended", list(`{ user = "erp", per_day = 1 }`)), `\unattended\1`, "needs certificate"},
		{under("pin", &registryKey{values: values{"cache_seconds": uint64(60)}}), `\pin\cache_seconds`, "go together"},
	} {
		err := defaults().mergeRegistry(c.root)
		var e *proto.Error
		if !errors.As(err, &e) || e.Code != proto.CodePolicyInvalid {
			t.Errorf("%s: %v", c.place, err)
			continue
		}
		if e.Args["file"] != registryRoot+c.place || e.Args["line"] != "" || !strings.Contains(e.Args["detail"], c.detail) {
			t.Errorf("%s: %v, want %q", c.place, e.Args, c.detail)
		}
	}
}

// FuzzRegistry: any registry gives a configuration that the same policy as a file could give, or a typed error.
func FuzzRegistry(f *testing.F) {
	f.Add([]byte(`{"ui":{"language":"ru","wait_minutes":5},"origins":{"allow":{"1":"https://a.example"}},"limit":{"1":"{ per_hour = 7 }"}}`))
	f.Add([]byte(`{"limit":{"1":"{ per_hour = 7 } # ]"},"x":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tree map[string]any
		if len(data) > maxFile || json.Unmarshal(data, &tree) != nil {
			return
		}
		c := defaults()
		err := c.mergeRegistry(registryOf(tree))
		if err != nil && !errors.Is(err, proto.CodePolicyInvalid) {
			t.Fatalf("untyped error %v", err)
		}
		for _, l := range c.Limits {
			if err == nil && l.PerHour+l.PerDay+l.Documents == 0 && l.Size == 0 {
				t.Errorf("limit %+v", l)
			}
		}
	})
}

// registryOf makes keys of objects and values of the rest.
func registryOf(tree map[string]any) *registryKey {
	k := &registryKey{values: values{}, keys: keys{}}
	for name, v := range tree {
		name = strings.ToLower(name)
		switch v := v.(type) {
		case map[string]any:
			k.keys[name] = registryOf(v)
		case float64:
			k.values[name] = uint64(max(0, v))
		case string:
			k.values[name] = v
		default:
			k.values[name] = nil
		}
	}
	return k
}

// TestRegistryExamples: every knob can be set in the registry, and means there what it means in a file.
func TestRegistryExamples(t *testing.T) {
	want := defaults()
	if err := want.merge("policy.toml", []byte(examples()), true); err != nil {
		t.Fatal(err)
	}
	var s source
	tree, err := s.decode([]byte(examples()))
	if err != nil {
		t.Fatal(err)
	}
	root := &registryKey{values: values{}, keys: keys{}}
	for name, v := range tree {
		if section(name).Many {
			_, text, _ := strings.Cut(examples(), name+" = [")
			text, _, _ = strings.Cut(text, "]\n")
			root.keys[name] = list(text)
			continue
		}
		k := &registryKey{values: values{}, keys: keys{}}
		root.keys[name] = k
		for knob, v := range v.(map[string]any) {
			switch v := v.(type) {
			case []any:
				k.keys[knob] = list(v...)
			case bool:
				k.values[knob] = map[bool]uint64{true: 1}[v]
			case int64:
				k.values[knob] = uint64(v)
			default:
				k.values[knob] = v
			}
		}
	}
	got := defaults()
	if err := got.mergeRegistry(root); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
