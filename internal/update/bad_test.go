// SPDX-License-Identifier: GPL-3.0-or-later

package update

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tampered are files that were changed as text.
func tampered() []bad {
	edit := func(name string, change func([]byte) []byte) bad {
		return bad{"text: " + name, func(p *publisher, _ *Trust) []byte { return change(p.describe().Encode()) }, ErrMalformed}
	}
	replace := func(name, from, to string) bad {
		return edit(name, func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) })
	}
	return []bad{
		edit("empty", func([]byte) []byte { return nil }),
		edit("null", func([]byte) []byte { return []byte("null\n") }),
		edit("a list", func(b []byte) []byte { return []byte("[" + strings.TrimSpace(string(b)) + "]\n") }),
		edit("cut short", func(b []byte) []byte { return b[:len(b)/2] }),
		edit("no final newline", func(b []byte) []byte { return b[:len(b)-1] }),
		edit("two of them", func(b []byte) []byte { return append(b, b...) }),
		edit("a byte order mark", func(b []byte) []byte { return append([]byte("\ufeff"), b...) }),
		edit("spaces", func(b []byte) []byte { return append([]byte(" "), b...) }),
		edit("a web page", func([]byte) []byte { return []byte("<!doctype html><title>Sign in to this network</title>") }),
		edit("too large", func(b []byte) []byte { return append(bytes.Repeat([]byte(" "), MaxSize), b...) }),
		edit("too deep", func([]byte) []byte { return []byte(strings.Repeat("[", 100_000)) }),
		replace("a member in another case", `"payload"`, `"Payload"`),
		replace("a duplicate member", `{"keys":`, `{"release":null,"keys":`),
		replace("an unknown member", `{"keys":`, `{"x":1,"keys":`),
		replace("an escaped name", `"keys"`, `"\u006beys"`),
		replace("a newline inside base64", `"payload":"`, `"payload":"\n`),
		replace("a number for a string", `"payloadType":"`+KeysType+`"`, `"payloadType":1`),
	}
}

// unsigned are changes of what the payloads say, under the old signatures: each member of the release, of its packages and of the
// list of keys.
func unsigned() (list []bad) {
	payloads := map[string]func(*Description) *Envelope{
		"keys": func(d *Description) *Envelope { return &d.Keys }, "release": func(d *Description) *Envelope { return &d.Release },
	}
	for part, of := range payloads {
		d := newPublisher().describe()
		var members any
		json.Unmarshal(of(&d).Payload, &members)
		for _, path := range leaves("", members) {
			list = append(list, bad{fmt.Sprintf("unsigned: %s%s", part, path), func(p *publisher, _ *Trust) []byte {
				d := p.describe()
				e := of(&d)
				old := find(e.Payload, path)
				e.Payload = bytes.Replace(e.Payload, old, change(old), 1)
				return d.Encode()
			}, ErrSignature})
		}
	}
	return list
}

// leaves are the paths of all values in JSON.
func leaves(at string, v any) (paths []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			paths = append(paths, leaves(at+"."+name, member)...)
		}
	case []any:
		for i, member := range v {
			paths = append(paths, leaves(fmt.Sprintf("%s.%d", at, i), member)...)
		}
	default:
		paths = []string{at}
	}
	return paths
}

// find is the text of the value at a path.
func find(payload []byte, path string) []byte {
	raw := json.RawMessage(payload)
	for name := range strings.SplitSeq(path[1:], ".") {
		var object map[string]json.RawMessage
		var array []json.RawMessage
		if json.Unmarshal(raw, &object) == nil {
			raw = object[name]
			continue
		}
		json.Unmarshal(raw, &array)
		var i int
		fmt.Sscan(name, &i)
		raw = array[i]
	}
	return raw
}

// change makes another value of the same kind.
func change(value []byte) []byte {
	out := slices.Clone(value)
	i := len(out) / 2
	switch {
	case out[i] >= '0' && out[i] <= '9':
		out[i] = '0' + (out[i]-'0'+1)%10
	case out[i] == 'a':
		out[i] = 'b'
	default:
		out[i] = 'a'
	}
	return out
}

// missigned are signed by others, by too few, or wrongly.
func missigned() []bad {
	seal := func(name string, make func(p *publisher) Description) bad {
		return bad{"signatures: " + name, func(p *publisher, _ *Trust) []byte { return make(p).Encode() }, ErrSignature}
	}
	with := func(name string, change func(p *publisher, d *Description)) bad {
		return seal(name, func(p *publisher) Description {
			d := p.describe()
			change(p, &d)
			return d
		})
	}
	malformedWith := func(name string, change func(p *publisher, d *Description)) bad {
		b := with(name, change)
		b.want = ErrMalformed
		return b
	}
	resign := func(p *publisher, keys ...ed25519.PrivateKey) Envelope { return Seal(ReleaseType, p.release, keys...) }
	return []bad{
		with("none", func(_ *publisher, d *Description) { d.Release.Signatures = nil }),
		with("none of the keys", func(_ *publisher, d *Description) { d.Keys.Signatures = []Signature{} }),
		with("one of two", func(p *publisher, d *Description) { d.Release = resign(p, p.signers[0]) }),
		with("a stranger", func(p *publisher, d *Description) { d.Release = resign(p, p.stranger) }),
		with("one and a stranger", func(p *publisher, d *Description) { d.Release = resign(p, p.signers[0], p.stranger) }),
		with("the root alone", func(p *publisher, d *Description) { d.Release = resign(p, p.root) }),
		with("the root and one", func(p *publisher, d *Description) { d.Release = resign(p, p.root, p.signers[0]) }),
		with("keys by themselves", func(p *publisher, d *Description) { d.Keys = Seal(KeysType, p.keys, p.signers...) }),
		with("keys by a stranger", func(p *publisher, d *Description) { d.Keys = Seal(KeysType, p.keys, p.stranger) }),
		with("a stranger's whole set", func(p *publisher, d *Description) {
			p.keys.Keys, p.keys.Threshold = []ed25519.PublicKey{public(p.stranger)}, 1
			*d = Description{Seal(KeysType, p.keys, p.stranger), resign(p, p.stranger)}
		}),
		with("one wrong beside two right", func(p *publisher, d *Description) {
			d.Release.Signatures = append(d.Release.Signatures, Signature{KeyID(public(p.signers[2])), make([]byte, ed25519.SignatureSize)})
		}),
		with("of the other key's name", func(_ *publisher, d *Description) {
			s := d.Release.Signatures
			s[0].KeyID, s[1].KeyID = s[1].KeyID, s[0].KeyID
		}),
		with("too short", func(_ *publisher, d *Description) { d.Release.Signatures[0].Sig = d.Release.Signatures[0].Sig[:63] }),
		with("too long", func(_ *publisher, d *Description) {
			d.Release.Signatures[0].Sig = append(d.Release.Signatures[0].Sig, 0)
		}),
		with("empty", func(_ *publisher, d *Description) { d.Release.Signatures[0].Sig = nil }),
		with("S over the order", func(_ *publisher, d *Description) { d.Release.Signatures[0].Sig[63] |= 0xf0 }),
		with("of the payload alone", func(p *publisher, d *Description) {
			for i := range 2 {
				d.Release.Signatures[i].Sig = ed25519.Sign(p.signers[i], d.Release.Payload)
			}
		}),
		with("of another release", func(p *publisher, d *Description) {
			p.release.Serial++
			d.Release.Signatures = resign(p, p.signers[0], p.signers[1]).Signatures
		}),
		with("by a key that was left out", func(p *publisher, d *Description) {
			p.keys.Serial, p.keys.Keys = 6, p.keys.Keys[1:]
			d.Keys = Seal(KeysType, p.keys, p.root)
		}),
		malformedWith("one key twice", func(p *publisher, d *Description) { d.Release = resign(p, p.signers[0], p.signers[0]) }),
		malformedWith("a hundred", func(p *publisher, d *Description) {
			for i := range 100 {
				d.Release.Signatures = append(d.Release.Signatures, Signature{fmt.Sprint(i), nil})
			}
		}),
	}
}

// rolledBack are sound and older than what was seen.
func rolledBack() []bad {
	after := func(name string, newer, older func(p *publisher)) bad {
		return bad{"rollback: " + name, func(p *publisher, trust *Trust) []byte {
			newer(p)
			_, seen, err := trust.Read(p.describe().Encode())
			if err != nil {
				panic(err)
			}
			trust.Seen = seen
			older(p)
			return p.describe().Encode()
		}, ErrRollback}
	}
	nothing := func(*publisher) {}
	return []bad{
		after("serial", nothing, func(p *publisher) { p.release.Serial = 39 }),
		after("serial, far", func(p *publisher) { p.release.Serial = 1 << 60 }, func(p *publisher) { p.release.Serial = 41 }),
		after("keys", nothing, func(p *publisher) { p.keys.Serial = 4 }),
		after("keys under a newer release", nothing, func(p *publisher) { p.keys.Serial, p.release.Serial = 4, 41 }),
		after("release under newer keys", nothing, func(p *publisher) { p.keys.Serial, p.release.Serial = 6, 39 }),
		after("patch", nothing, func(p *publisher) { p.release.Serial = 41; p.setVersion("1.9.9") }),
		after("minor", nothing, func(p *publisher) { p.release.Serial = 41; p.setVersion("1.2.0") }),
		after("major", nothing, func(p *publisher) { p.release.Serial = 41; p.setVersion("0.99.0") }),
		after("outdated as well", nothing, func(p *publisher) { p.release.Serial, p.release.Expires = 39, now.Add(-time.Minute) }),
		after("of another channel as well", nothing, func(p *publisher) { p.release.Serial, p.release.Channel = 39, "beta" }),
	}
}

func (p *publisher) setVersion(v string) {
	for i, f := range p.release.Packages {
		p.release.Packages[i].File = strings.ReplaceAll(f.File, p.release.Version, v)
		p.release.Packages[i].URL = strings.ReplaceAll(f.URL, p.release.Version, v)
	}
	p.release.Version = v
}

// signedWell are signed as they should be and wrong in what they say.
func signedWell(kind string, want error, changes map[string]func(p *publisher)) (list []bad) {
	for name, change := range changes {
		list = append(list, bad{kind + ": " + name, func(p *publisher, _ *Trust) []byte {
			change(p)
			return p.describe().Encode()
		}, want})
	}
	return list
}

// outdated do not hold at the caller's time.
func outdated() []bad {
	return slices.Concat(
		signedWell("expired", ErrExpired, map[string]func(p *publisher){
			"release now":              func(p *publisher) { p.release.Expires = now },
			"release a second ago":     func(p *publisher) { p.release.Expires = now.Add(-time.Second) },
			"release, years ago":       func(p *publisher) { p.release.Period = Period{now.AddDate(-3, 0, 0), now.AddDate(-2, 0, 0)} },
			"keys now":                 func(p *publisher) { p.keys.Expires = now },
			"keys, release still good": func(p *publisher) { p.keys.Period = Period{now.AddDate(-1, 0, 0), now.Add(-time.Hour)} },
		}),
		signedWell("early", ErrEarly, map[string]func(p *publisher){
			"release in two days": func(p *publisher) { p.release.Issued = now.AddDate(0, 0, 2) },
			"keys next year":      func(p *publisher) { p.keys.Period = Period{now.AddDate(1, 0, 0), now.AddDate(1, 1, 0)} },
		}),
	)
}

// mixed are put together from parts that are good by themselves.
func mixed() []bad {
	describe := func(name string, want error, make func(p *publisher, trust *Trust) Description) bad {
		return bad{"mixed: " + name, func(p *publisher, trust *Trust) []byte { return make(p, trust).Encode() }, want}
	}
	again := func(name string, other func(p *publisher)) bad {
		return describe(name, ErrMixed, func(p *publisher, trust *Trust) Description {
			_, trust.Seen, _ = trust.Read(p.describe().Encode())
			other(p)
			return p.describe()
		})
	}
	return slices.Concat([]bad{
		describe("keys for the release", ErrMixed, func(p *publisher, _ *Trust) Description { d := p.describe(); return Description{d.Keys, d.Keys} }),
		describe("release for the keys", ErrMixed, func(p *publisher, _ *Trust) Description { d := p.describe(); return Description{d.Release, d.Release} }),
		describe("changed places", ErrMixed, func(p *publisher, _ *Trust) Description { d := p.describe(); return Description{d.Release, d.Keys} }),
		describe("a release called keys", ErrMalformed, func(p *publisher, _ *Trust) Description {
			return Description{Seal(KeysType, p.release, p.root), p.describe().Release}
		}),
		describe("keys called a release", ErrMalformed, func(p *publisher, _ *Trust) Description {
			return Description{p.describe().Keys, Seal(ReleaseType, p.keys, p.signers...)}
		}),
		describe("another publisher's release", ErrSignature, func(p *publisher, _ *Trust) Description {
			return Description{p.describe().Keys, Seal(ReleaseType, p.release, p.stranger, p.root)}
		}),
		again("two releases of one serial", func(p *publisher) { p.release.Notes += "a" }),
		again("two packages of one release", func(p *publisher) { p.release.Packages[0].SHA256 = digest(nil) }),
		again("two lists of one serial", func(p *publisher) { p.keys.Threshold = 1 }),
	},
		signedWell("mixed", ErrMixed, map[string]func(p *publisher){
			"a package of an older version":  func(p *publisher) { p.release.Packages[1].File = "persten-1.9.0-1.x86_64.rpm" },
			"a package of a longer version":  func(p *publisher) { p.release.Packages[0].File = "persten_11.10.0_amd64.deb" },
			"a package of a longer patch":    func(p *publisher) { p.release.Packages[2].File = "persten-1.10.01.msi" },
			"a version other than its files": func(p *publisher) { p.release.Version = "1.10.1" },
		}),
		signedWell("mixed", ErrChannel, map[string]func(p *publisher){
			"another channel": func(p *publisher) { p.release.Channel = "beta" },
		}),
	)
}

// unsound are signed and break a rule or a limit.
func unsound() []bad {
	first := func(change func(f *Package)) func(p *publisher) {
		return func(p *publisher) { change(&p.release.Packages[0]) }
	}
	at := func(url string) func(p *publisher) { return first(func(f *Package) { f.URL = url }) }
	const file = "/persten_1.10.0_amd64.deb"
	return signedWell("unsound", ErrMalformed, map[string]func(p *publisher){
		"no packages":           func(p *publisher) { p.release.Packages = nil },
		"too many packages":     func(p *publisher) { p.release.Packages = make([]Package, maxPackages+1) },
		"one package twice":     func(p *publisher) { p.release.Packages = append(p.release.Packages, p.release.Packages[0]) },
		"serial 0":              func(p *publisher) { p.release.Serial = 0 },
		"serial -1":             func(p *publisher) { p.release.Serial = -1 },
		"version empty":         func(p *publisher) { p.release.Version = "" },
		"version of two":        func(p *publisher) { p.release.Version = "1.10" },
		"version of four":       func(p *publisher) { p.release.Version = "1.10.0.0" },
		"version with zeros":    func(p *publisher) { p.release.Version = "1.010.0" },
		"version, huge":         func(p *publisher) { p.release.Version = "1.10." + strings.Repeat("9", 30) },
		"version with words":    func(p *publisher) { p.release.Version = "1.10.0-rc.1" },
		"version on two lines":  func(p *publisher) { p.release.Version = "1.10.0\n" },
		"channel empty":         func(p *publisher) { p.release.Channel = "" },
		"channel, two words":    func(p *publisher) { p.release.Channel = "stable beta" },
		"notes over http":       func(p *publisher) { p.release.Notes = "http://persten.example/" },
		"notes as script":       func(p *publisher) { p.release.Notes = "javascript:alert(1)" },
		"notes, too long":       func(p *publisher) { p.release.Notes += strings.Repeat("a", 1024) },
		"notes empty":           func(p *publisher) { p.release.Notes = "" },
		"never issued":          func(p *publisher) { p.release.Issued = time.Time{} },
		"ends before it begins": func(p *publisher) { p.release.Expires = p.release.Issued.Add(-time.Second) },
		"holds for two years":   func(p *publisher) { p.release.Expires = p.release.Issued.AddDate(2, 0, 0) },
		"a time of the year 9999+": func(p *publisher) {
			p.release.Period = Period{now, time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}
		},

		"name empty":               first(func(f *Package) { f.Name = "" }),
		"name in capitals":         first(func(f *Package) { f.Name = "PERSTEN" }),
		"system without processor": first(func(f *Package) { f.System = "linux" }),
		"kind as path":             first(func(f *Package) { f.Kind = "../deb" }),
		"file as path":             first(func(f *Package) { f.File = "../persten_1.10.0_amd64.deb" }),
		"file with a space":        first(func(f *Package) { f.File = "persten 1.10.0 .deb" }),
		"file as option":           first(func(f *Package) { f.File = "-persten_1.10.0_amd64.deb" }),
		"file with a command":      first(func(f *Package) { f.File = "persten_1.10.0_$(id).deb" }),
		"size 0":                   first(func(f *Package) { f.Size = 0 }),
		"size negative":            first(func(f *Package) { f.Size = -1 }),
		"size, huge":               first(func(f *Package) { f.Size = maxPackage + 1 }),
		"hash empty":               first(func(f *Package) { f.SHA256 = "" }),
		"hash of SHA-1":            first(func(f *Package) { f.SHA256 = f.SHA256[:40] }),
		"hash in capitals":         first(func(f *Package) { f.SHA256 = strings.ToUpper(f.SHA256) }),
		"hash not hexadecimal":     first(func(f *Package) { f.SHA256 = strings.Repeat("g", 64) }),

		"address over http":        at("http://persten.example" + file),
		"address of a file":        at("file://" + file),
		"address without host":     at("https:" + file),
		"address with a user":      at("https://persten.example@evil.example" + file),
		"address with a query":     at("https://persten.example/?" + file),
		"address with a fragment":  at("https://persten.example/#" + file),
		"address with a backslash": at(`https://persten.example\` + file),
		"address with a quote":     at("https://persten.example/';id;'" + file),
		"address in Cyrillic":      at("https://перстень.example" + file),
		"address of another file":  at("https://persten.example/persten_1.9.0_amd64.deb"),
		"address relative":         at(file),
		"address, too long":        at("https://persten.example/" + strings.Repeat("a", 1024) + file),

		"keys, none":           func(p *publisher) { p.keys.Keys = nil },
		"keys, too many":       func(p *publisher) { p.keys.Keys = make([]ed25519.PublicKey, maxKeys+1) },
		"keys, one twice":      func(p *publisher) { p.keys.Keys = append(p.keys.Keys, p.keys.Keys[0]) },
		"keys, a short one":    func(p *publisher) { p.keys.Keys[2] = p.keys.Keys[2][:31] },
		"keys, serial 0":       func(p *publisher) { p.keys.Serial = 0 },
		"keys, threshold 0":    func(p *publisher) { p.keys.Threshold = 0 },
		"keys, threshold of 4": func(p *publisher) { p.keys.Threshold = 4 },
		"keys for ever":        func(p *publisher) { p.keys.Expires = p.keys.Issued.AddDate(100, 0, 0) },
	})
}
