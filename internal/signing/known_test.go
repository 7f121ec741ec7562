// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
)

// plugged is a key on a device.
type plugged struct{ absentKey }

func device(t *testing.T, name string) plugged {
	t.Helper()
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Wipe()
	c, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: name}, Key: key.Public()}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return plugged{absentKey{c, token.Info{Module: "m", Label: name, Serial: "1"}, c.Key.Algorithms()}}
}

// What is remembered is bounded, outlives the process, and is written only when there is news.
func TestKnownIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known.json")
	k := NewKnown(path)
	first := device(t, "first")
	k.note([]token.Key{first})
	written, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	k.note([]token.Key{first})
	if again, _ := os.Stat(path); !os.SameFile(written, again) {
		t.Error("written without news")
	}
	for i := range maxKnown {
		k.note([]token.Key{device(t, fmt.Sprint(i))})
	}
	for i := range maxChosen + 5 {
		k.choose(fmt.Sprintf("https://s%d.example", i), "id")
	}
	k = NewKnown(path)
	if list := k.all(); len(list) != maxKnown || list[0].info.Label != fmt.Sprint(maxKnown-1) {
		t.Errorf("%d, %+v", len(list), list[0].info)
	}
	if _, there := k.find(first.ID()); there || k.last("https://s4.example") != "" || k.last("https://s5.example") != "id" {
		t.Error("the oldest is still there, or the newest is not")
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 || i.Size() > maxKnownFile {
		t.Error(i, err)
	}
}

// Keys in Persten's own code are not on a token that could be plugged in.
func TestKnownTakesTokensAlone(t *testing.T) {
	k := NewKnown(filepath.Join(t.TempDir(), "known.json"))
	demo, file, bare := device(t, "demo"), device(t, "file"), device(t, "bare")
	demo.info.Demo, file.info.Module, bare.algorithms = true, "keyfile", nil
	k.note([]token.Key{demo, file, bare})
	if list := k.all(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	var nobody *Known
	nobody.note([]token.Key{device(t, "x")})
	nobody.choose("https://a.example", "id")
	nobody.forgetSite("https://a.example")
	if there, err := nobody.forget(""); there || err != nil || nobody.last("https://a.example") != "" || len(nobody.all()) != 0 {
		t.Error(there, err)
	}
}

// A damaged file counts as empty.
func TestKnownDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known.json")
	for _, s := range []string{"", "{", "null", `{"version":2}`, `{"version":1,"more":1}`, `{"version":1,"certificates":[{"der":"AAAA"}]}`} {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if k := NewKnown(path); len(k.all()) != 0 || k.last("https://a.example") != "" {
			t.Errorf("%q: %+v", s, k)
		}
	}
}

func FuzzKnown(f *testing.F) {
	f.Add([]byte(`{"version":1,"certificates":[],"chosen":[{"origin":"https://a.example","certificate":"00"}]}`))
	f.Add([]byte(`{"version":1,"certificates":[{"der":"MIIB","algorithms":["rsa-sha256"],"label":"\u202e","seen":"2026-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		seen, chosen, err := parseKnown(data)
		if err != nil && len(seen)+len(chosen) > 0 || len(seen) > maxKnown || len(chosen) > maxChosen {
			t.Fatal(len(seen), len(chosen), err)
		}
		if err == nil && !json.Valid(data) {
			t.Fatalf("%q was taken", data)
		}
	})
}
