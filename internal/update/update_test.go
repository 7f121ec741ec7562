// SPDX-License-Identifier: GPL-3.0-or-later

package update

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// now is the clock of these tests.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// publisher makes descriptions: a good one, from which tests depart.
type publisher struct {
	root, stranger ed25519.PrivateKey
	signers        []ed25519.PrivateKey
	keys           Keys
	release        Release
}

func newPublisher() *publisher {
	key := func(n byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	}
	p := &publisher{root: key(1), stranger: key(9), signers: []ed25519.PrivateKey{key(2), key(3), key(4)}}
	p.keys = Keys{Serial: 5, Period: Period{now.AddDate(0, -1, 0), now.AddDate(0, 11, 0)}, Threshold: 2}
	for _, k := range p.signers {
		p.keys.Keys = append(p.keys.Keys, public(k))
	}
	sum := digest([]byte("a package"))
	p.release = Release{
		Channel: "stable", Serial: 40, Version: "1.10.0", Period: Period{now.Add(-time.Hour), now.AddDate(0, 1, 0)}, Notes: "https://persten.example/news/1.10.0",
		Packages: []Package{
			{"persten", "linux/amd64", "deb", "persten_1.10.0_amd64.deb", "https://persten.example/get/persten_1.10.0_amd64.deb", 9, sum},
			{"persten", "linux/amd64", "rpm", "persten-1.10.0-1.x86_64.rpm", "https://persten.example/get/persten-1.10.0-1.x86_64.rpm", 9, sum},
			{"persten", "windows/amd64", "msi", "persten-1.10.0.msi", "https://persten.example/get/persten-1.10.0.msi", 9, sum},
		},
	}
	return p
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func (p *publisher) describe() Description {
	return Description{Seal(KeysType, p.keys, p.root), Seal(ReleaseType, p.release, p.signers[0], p.signers[1])}
}

func (p *publisher) trust() Trust {
	return Trust{Roots: []ed25519.PublicKey{public(p.root)}, Channel: "stable", Now: now}
}

// TestRead: a good description is believed, again and after a newer one; by two roots, by keys of a list that grew.
func TestRead(t *testing.T) {
	p, trust := newPublisher(), newPublisher().trust()
	for range 2 {
		r, seen, err := trust.Read(p.describe().Encode())
		if err != nil || r.Version != "1.10.0" || len(r.For("linux/amd64", "")) != 2 || len(r.For("linux/amd64", "deb")) != 1 || len(r.For("plan9/arm", "")) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		trust.Seen = seen
	}
	old := p.describe()
	p.keys.Serial, p.keys.Threshold, p.release.Serial, p.release.Version = 6, 3, 41, "1.11.0"
	for i, f := range p.release.Packages {
		p.release.Packages[i].File, p.release.Packages[i].URL = strings.ReplaceAll(f.File, "10", "11"), strings.ReplaceAll(f.URL, "10", "11")
	}
	newer := Description{Seal(KeysType, p.keys, p.stranger, p.root), Seal(ReleaseType, p.release, append(p.signers, p.stranger)...)}
	r, seen, err := trust.Read(newer.Encode())
	if err != nil || r.Version != "1.11.0" || seen.Keys.Serial != 6 || seen.Release.Serial != 41 {
		t.Fatalf("%+v, %+v, %v", r, seen, err)
	}
	trust.Seen = seen
	if _, after, err := trust.Read(old.Encode()); !errors.Is(err, ErrRollback) || after != seen {
		t.Errorf("the older one: %v", err)
	}
	again, err := ParseSeen(seen.Encode())
	if err != nil || again != seen {
		t.Errorf("%+v, %v", again, err)
	}
}

// bad is one description that is not to be believed, and why.
type bad struct {
	name string
	make func(p *publisher, trust *Trust) []byte
	want error
}

// TestBad: a hundred and more tampered, rolled back, outdated and mixed descriptions are refused, each for its reason, and none
// changes what was seen.
func TestBad(t *testing.T) {
	cases := slices.Concat(tampered(), unsigned(), missigned(), rolledBack(), outdated(), mixed(), unsound())
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Errorf("two cases %q", c.name)
		}
		names[c.name] = true
		p := newPublisher()
		trust := p.trust()
		data := c.make(p, &trust)
		r, seen, err := trust.Read(data)
		if r != nil || !errors.Is(err, c.want) || seen != trust.Seen {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	t.Logf("%d bad descriptions refused", len(cases))
}

// TestEveryByte: no byte of the file can be another one.
func TestEveryByte(t *testing.T) {
	p := newPublisher()
	data, trust := p.describe().Encode(), p.trust()
	for i := range data {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			data[i] ^= flip
			if _, _, err := trust.Read(data); err == nil {
				t.Fatalf("byte %d may be %q", i, data[i])
			}
			data[i] ^= flip
		}
	}
	for n := range data {
		if _, _, err := trust.Read(data[:n]); err == nil {
			t.Fatalf("%d bytes are enough", n)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		order int
		known bool
	}{
		{"0.9.9", "0.10.0", -1, true}, {"v1.0.0", "1.0.0", 0, true}, {"2.0.0", "1.99.99", 1, true}, {"v0.1.0-12-gabcdef0-dirty", "0.1.0", 0, true},
		{"1.0.0-rc.1", "1.0.1", -1, true}, {"dev", "1.0.0", 0, false}, {"1.0", "1.0.0", 0, false}, {"1.0.0", "", 0, false}, {"01.0.0", "1.0.0", 0, false},
		{"abcdef0", "1.0.0", 0, false},
	} {
		order, known := Compare(c.a, c.b)
		if known != c.known || known && order != c.order {
			t.Errorf("%q, %q: %d, %v", c.a, c.b, order, known)
		}
	}
}

func TestLater(t *testing.T) {
	a := Seen{Mark{1, "a"}, Mark{9, "b"}, "1.0.0"}
	b := Seen{Mark{2, "c"}, Mark{8, "d"}, "0.9.0"}
	want := Seen{Mark{2, "c"}, Mark{9, "b"}, "1.0.0"}
	if a.Later(b) != want || b.Later(a) != want || a.Later(Seen{}) != a {
		t.Error(a.Later(b), b.Later(a))
	}
}

// TestOpenSSL: a program that is not ours finds the signature good, over the bytes that DSSE says.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("not run: no openssl")
	}
	dir := t.TempDir()
	p := newPublisher()
	e := p.describe().Release
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	spki := append([]byte{0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0}, public(p.signers[0])...)
	key, sig := write("key.der", spki), write("sig", e.Signatures[0].Sig)
	const kind = "application/vnd.persten.release+json"
	message := fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(e.Payload), e.Payload)
	for content, good := range map[string]bool{message: true, message + " ": false} {
		out, err := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin", "-in", write("m", []byte(content)), "-sigfile", sig).CombinedOutput()
		if (err == nil) != good {
			t.Errorf("openssl: %v: %s", err, out)
		}
	}
}

// FuzzRead: nothing but the publisher's own bytes is believed.
func FuzzRead(f *testing.F) {
	p := newPublisher()
	good, trust := p.describe().Encode(), p.trust()
	f.Add(good)
	f.Add([]byte(`{"keys":{"payloadType":"","payload":"","signatures":null},"release":{"payloadType":"","payload":"","signatures":null}}`))
	f.Add(bytes.ReplaceAll(good, []byte(`"keyid"`), []byte(`"KeyID"`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := trust.Read(data); err == nil && !bytes.Equal(data, good) {
			t.Errorf("believed: %q", data)
		}
	})
}

// FuzzPayload: what a key did sign is either sound, and safe to show and to paste into a shell, or refused with an error of this
// package. No signatures are made, for they are slow.
func FuzzPayload(f *testing.F) {
	p := newPublisher()
	f.Add(encode(p.release))
	f.Add(encode(p.keys))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var r Release
		if err := cmp.Or(decode(payload, &r), r.check()); err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrMixed) {
			t.Errorf("an error of no kind: %v", err)
		} else if err == nil {
			checkShown(t, r)
		}
		var k Keys
		if err := cmp.Or(decode(payload, &k), k.check()); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

// checkShown looks at everything of a release that a command prints.
func checkShown(t *testing.T, r Release) {
	texts := []string{r.Version, r.Notes}
	for _, p := range r.Packages {
		texts = append(texts, p.Name, p.System, p.Kind, p.File, p.URL, p.SHA256)
		if p.Size < 1 || !strings.HasPrefix(p.URL, "https://") || strings.Contains(p.File, "/") || strings.HasPrefix(p.File, "-") {
			t.Errorf("a package %+v", p)
		}
	}
	for _, text := range texts {
		if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("$`\"'\\|&;<>", c) }) {
			t.Errorf("%q is shown", text)
		}
	}
}
