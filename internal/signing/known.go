// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
	"persten/proto"
)

// What is remembered at most; the oldest goes first.
const (
	maxKnown     = 64  // certificates
	maxChosen    = 256 // sites
	maxKnownCert = 32 << 10
	maxKnownFile = 4 << 20
	knownVersion = 1
)

// Known remembers, in a file of this user's alone, the certificates that were seen on tokens, and which of them was chosen last at
// each site. It holds no key and no PIN. A file it cannot read counts as empty, with a warning. A nil Known knows nothing.
// Safe for concurrent use.
type Known struct {
	path string

	mu     sync.Mutex
	read   bool
	seen   []seenKey // the latest last
	chosen []chosenAt
}

// seenKey is a certificate and the day it was last seen.
type seenKey struct {
	absentKey
	day time.Time
}

// chosenAt is what was chosen last at a site.
type chosenAt struct {
	Origin      string `json:"origin"`
	Certificate string `json:"certificate"`
}

// NewKnown remembers in the file at path.
func NewKnown(path string) *Known { return &Known{path: path} }

// open locks and reads; the caller unlocks.
func (k *Known) open() (unlock func()) {
	k.mu.Lock()
	if k.read {
		return k.mu.Unlock
	}
	k.read = true
	f, err := os.Open(k.path)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(f, maxKnownFile+1)); err == nil {
			k.seen, k.chosen, err = parseKnown(data)
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		slog.Warn("the certificates seen before are not known", "file", k.path, "cause", err)
	}
	return k.mu.Unlock
}

// note remembers the keys of a listing that live on tokens. The file is written when something is new, or seen on another day.
func (k *Known) note(keys []token.Key) {
	if k == nil {
		return
	}
	defer k.open()()
	day, news := time.Now().UTC().Truncate(24*time.Hour), false
	for _, key := range keys {
		news = k.see(key, day) || news
	}
	if news {
		k.save()
	}
}

// see takes one key and reports whether that is news. Keys in Persten's own code are in files: there is nothing to plug in.
func (k *Known) see(key token.Key, day time.Time) bool {
	c, t := key.Certificate(), key.Token()
	if c == nil || len(key.Algorithms()) == 0 || len(c.Raw) > maxKnownCert || Place(t) == proto.KeyPlaceSoftware {
		return false
	}
	info := token.Info{Module: t.Module, Label: t.Label, Serial: t.Serial, Model: t.Model, Attempts: -1}
	one := seenKey{absentKey{c, info, slices.Clone(key.Algorithms())}, day}
	at := slices.IndexFunc(k.seen, func(s seenKey) bool { return s.ID() == one.ID() })
	if at >= 0 && k.seen[at].same(one) {
		return false
	}
	if at >= 0 {
		k.seen = slices.Delete(k.seen, at, at+1)
	}
	k.seen = append(k.seen, one)
	k.seen = slices.Delete(k.seen, 0, max(0, len(k.seen)-maxKnown))
	return true
}

func (s seenKey) same(o seenKey) bool {
	return s.day.Equal(o.day) && s.info == o.info && slices.Equal(s.algorithms, o.algorithms)
}

// all lists the certificates that were seen, the latest first.
func (k *Known) all() []seenKey {
	if k == nil {
		return nil
	}
	defer k.open()()
	list := slices.Clone(k.seen)
	slices.Reverse(list)
	return list
}

// find is the key of a certificate by id or thumbprint.
func (k *Known) find(id string) (absentKey, bool) {
	for _, s := range k.all() {
		if s.ID() == id || s.certificate.Thumbprint() == id {
			return s.absentKey, true
		}
	}
	return absentKey{}, false
}

// last is the id of the certificate that was chosen last at a site, or "".
func (k *Known) last(origin string) string {
	if k == nil {
		return ""
	}
	defer k.open()()
	for _, c := range k.chosen {
		if c.Origin == origin {
			return c.Certificate
		}
	}
	return ""
}

// choose remembers what was chosen at a site; programs have none.
func (k *Known) choose(origin, id string) {
	if k == nil || origin == "" {
		return
	}
	defer k.open()()
	k.chosen = slices.DeleteFunc(k.chosen, func(c chosenAt) bool { return c.Origin == origin })
	k.chosen = append(k.chosen, chosenAt{origin, id})
	k.chosen = slices.Delete(k.chosen, 0, max(0, len(k.chosen)-maxChosen))
	k.save()
}

// forgetSite drops what was chosen at a site.
func (k *Known) forgetSite(origin string) {
	if k == nil {
		return
	}
	defer k.open()()
	before := len(k.chosen)
	if k.chosen = slices.DeleteFunc(k.chosen, func(c chosenAt) bool { return c.Origin == origin }); len(k.chosen) != before {
		k.save()
	}
}

// forget drops a certificate and every choice of it, or everything when id is empty. It reports whether there was something.
func (k *Known) forget(id string) (bool, error) {
	if k == nil {
		return false, nil
	}
	defer k.open()()
	before := len(k.seen)
	k.seen = slices.DeleteFunc(k.seen, func(s seenKey) bool { return id == "" || s.ID() == id })
	k.chosen = slices.DeleteFunc(k.chosen, func(c chosenAt) bool { return id == "" || c.Certificate == id })
	return len(k.seen) != before, k.write()
}

// Known lists the certificates whose tokens were seen, the latest first.
func (e *Engine) Known() []proto.KnownCertificate {
	list := []proto.KnownCertificate{}
	for _, s := range e.known.all() {
		list = append(list, proto.KnownCertificate{
			Certificate: summary(s.certificate), Label: s.info.Label, Serial: s.info.Serial, Model: s.info.Model, Seen: s.day,
		})
	}
	return list
}

// Forget forgets a certificate by its id, or all of them when that is empty, until their tokens are seen again.
func (e *Engine) Forget(id string) error {
	there, err := e.known.forget(id)
	switch {
	case err != nil:
		return proto.E(proto.CodeFileUnwritable, err, "file", e.known.path)
	case !there && id != "":
		return proto.E(proto.CodeCertificateAbsent, nil, "id", id)
	}
	return nil
}

// ForgetSite forgets what was chosen at a site.
func (e *Engine) ForgetSite(origin string) { e.known.forgetSite(origin) }

// save is write where nobody waits for it: what is not kept is only asked for again.
func (k *Known) save() {
	if err := k.write(); err != nil {
		slog.Warn("what was seen cannot be kept", "file", k.path, "cause", err)
	}
}

// knownFile is the file as written.
type knownFile struct {
	Version      int         `json:"version"`
	Certificates []knownCert `json:"certificates"`
	Chosen       []chosenAt  `json:"chosen"`
}

type knownCert struct {
	DER        []byte    `json:"der"`
	Algorithms []algo.ID `json:"algorithms"`
	Module     string    `json:"module"`
	Label      string    `json:"label"`
	Serial     string    `json:"serial"`
	Model      string    `json:"model"`
	Seen       time.Time `json:"seen"`
}

func (k *Known) write() error {
	file := knownFile{Version: knownVersion, Certificates: []knownCert{}, Chosen: k.chosen}
	for _, s := range k.seen {
		t := s.info
		file.Certificates = append(file.Certificates, knownCert{s.certificate.Raw, s.algorithms, t.Module, t.Label, t.Serial, t.Model, s.day})
	}
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return replaceFile(k.path, append(data, '\n'))
}

var errKnown = errors.New("not a list of certificates seen before")

// parseKnown reads strictly: what another program put there is not shown to people.
func parseKnown(data []byte) (seen []seenKey, chosen []chosenAt, err error) {
	var file knownFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if len(data) > maxKnownFile || dec.Decode(&file) != nil || file.Version != knownVersion ||
		len(file.Certificates) > maxKnown || len(file.Chosen) > maxChosen {
		return nil, nil, errKnown
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, errKnown
	}
	for _, one := range file.Certificates {
		c, err := cert.Parse(one.DER)
		if err != nil || len(one.DER) > maxKnownCert {
			return nil, nil, errors.Join(errKnown, err)
		}
		info := token.Info{Module: one.Module, Label: one.Label, Serial: one.Serial, Model: one.Model, Attempts: -1}
		seen = append(seen, seenKey{absentKey{c, info, one.Algorithms}, one.Seen})
	}
	return seen, file.Chosen, nil
}
