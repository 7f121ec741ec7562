// SPDX-License-Identifier: GPL-3.0-or-later

package update

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Period is when a part of the description holds. Times are in UTC and whole seconds.
type Period struct {
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

func (p Period) check() error {
	if life := p.Expires.Sub(p.Issued); life <= 0 || life > maxLife {
		return malformed("holds for %s", life)
	}
	return nil
}

func (p Period) at(now time.Time) error {
	switch {
	case !now.Before(p.Expires):
		return fmt.Errorf("%w since %s", ErrExpired, p.Expires.Format(time.DateOnly))
	case now.Add(skew).Before(p.Issued):
		return fmt.Errorf("%w: issued on %s", ErrEarly, p.Issued.Format(time.DateOnly))
	}
	return nil
}

// Keys is the list of keys that sign releases.
type Keys struct {
	Serial int64 `json:"serial"` // higher in each list that follows
	Period
	Threshold int                 `json:"threshold"` // how many of the keys must sign
	Keys      []ed25519.PublicKey `json:"keys"`
}

func (k Keys) check() error {
	if k.Serial < 1 || len(k.Keys) > maxKeys || k.Threshold < 1 || k.Threshold > len(k.Keys) {
		return malformed("serial %d, %d keys, threshold %d", k.Serial, len(k.Keys), k.Threshold)
	}
	ids := map[string]bool{}
	for _, key := range k.Keys {
		if len(key) != ed25519.PublicKeySize || ids[KeyID(key)] {
			return malformed("a key of another kind, or twice the same")
		}
		ids[KeyID(key)] = true
	}
	return k.Period.check()
}

// Release is the newest version of a channel.
type Release struct {
	Channel string `json:"channel"`
	Serial  int64  `json:"serial"`  // higher in each description that follows, also one of the same version
	Version string `json:"version"` // MAJOR.MINOR.PATCH
	Period
	Notes    string    `json:"notes"` // https address of what is new
	Packages []Package `json:"packages"`
}

// Package is one file of a release.
type Package struct {
	Name   string `json:"name"`   // persten, persten-desktop
	System string `json:"system"` // GOOS/GOARCH
	Kind   string `json:"kind"`   // deb, rpm, msi, msiuser: for one user, without an administrator
	File   string `json:"file"`   // holds the version
	URL    string `json:"url"`    // https, ending in File
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower hexadecimal digits
}

const maxPackage = 4 << 30 // bytes

var (
	word        = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$`)
	systemName  = regexp.MustCompile(`^[a-z0-9]{1,16}/[a-z0-9]{1,16}$`)
	versionName = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$`)
)

func (r *Release) check() error {
	switch {
	case r.Serial < 1:
		return malformed("serial %d", r.Serial)
	case !word.MatchString(r.Channel):
		return malformed("channel %.40q", r.Channel)
	case !versionName.MatchString(r.Version):
		return malformed("version %.40q", r.Version)
	case !address(r.Notes):
		return malformed("notes %.80q", r.Notes)
	case len(r.Packages) == 0 || len(r.Packages) > maxPackages:
		return malformed("%d packages", len(r.Packages))
	}
	files := map[string]bool{}
	for _, p := range r.Packages {
		if err := p.check(r.Version); err != nil {
			return err
		}
		if files[p.File] {
			return malformed("two packages %s", p.File)
		}
		files[p.File] = true
	}
	return r.Period.check()
}

func (p Package) check(version string) error {
	sum, err := hex.DecodeString(p.SHA256)
	switch {
	case err != nil || len(sum) != 32 || p.SHA256 != strings.ToLower(p.SHA256):
		return malformed("SHA-256 %.80q", p.SHA256)
	case !word.MatchString(p.Name) || !word.MatchString(p.Kind) || !systemName.MatchString(p.System):
		return malformed("package %.40q, %.40q, %.40q", p.Name, p.Kind, p.System)
	case !fileName.MatchString(p.File):
		return malformed("file %.80q", p.File)
	case !ofVersion(p.File, version):
		return fmt.Errorf("%w: %s in a release of %s", ErrMixed, p.File, version)
	case !address(p.URL) || !strings.HasSuffix(p.URL, "/"+p.File):
		return malformed("address %.80q", p.URL)
	case p.Size < 1 || p.Size > maxPackage:
		return malformed("%d bytes", p.Size)
	}
	return nil
}

// ofVersion reports whether a file's name holds the version, and not one that only begins or ends alike.
func ofVersion(file, version string) bool {
	at := strings.Index(file, version)
	if at < 1 || at+len(version) >= len(file) {
		return false
	}
	return !strings.ContainsRune("0123456789.", rune(file[at-1])) && !strings.ContainsRune("0123456789", rune(file[at+len(version)]))
}

// address reports whether s can be shown to a person and opened: https, printable ASCII, no user name, query or fragment.
func address(s string) bool {
	if len(s) > 1024 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`$;|&<>\\", r) }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Opaque == "" && !strings.ContainsAny(s, "?#")
}

// For returns the packages of a system (GOOS/GOARCH), and of one kind of package unless kind is empty.
func (r *Release) For(system, kind string) []Package {
	return slices.DeleteFunc(slices.Clone(r.Packages), func(p Package) bool {
		return p.System != system || kind != "" && p.Kind != kind
	})
}

// Compare tells whether version a is older (-1), the same (0) or newer (1) than b. What follows the three numbers, as builds of
// one's own have, does not count; known is false when one of them has no three numbers.
func Compare(a, b string) (order int, known bool) {
	x, okA := numbers(a)
	y, okB := numbers(b)
	return slices.Compare(x, y), okA && okB
}

func numbers(version string) ([]int, bool) {
	core := strings.TrimPrefix(version, "v")
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core = core[:i]
	}
	if !versionName.MatchString(core) {
		return nil, false
	}
	var out []int
	for part := range strings.SplitSeq(core, ".") {
		n, _ := strconv.Atoi(part) // at most six digits
		out = append(out, n)
	}
	return out, true
}

// Seen is what was believed last, so that nothing older is believed after it.
type Seen struct {
	Keys    Mark   `json:"keys"`
	Release Mark   `json:"release"`
	Version string `json:"version"`
}

// Mark is a serial number and the content it stood for.
type Mark struct {
	Serial int64  `json:"serial"`
	SHA256 string `json:"sha256"`
}

// ParseSeen reads what [Seen.Encode] wrote.
func ParseSeen(data []byte) (s Seen, err error) {
	err = decode(data, &s)
	if err == nil && (s.Keys.Serial < 1 || s.Release.Serial < 1 || !versionName.MatchString(s.Version)) {
		err = malformed("serials %d and %d, version %.40q", s.Keys.Serial, s.Release.Serial, s.Version)
	}
	return s, err
}

// Encode writes s for ParseSeen.
func (s Seen) Encode() []byte { return encode(s) }

// Later joins what two processes saw: of each part the later one.
func (s Seen) Later(other Seen) Seen {
	if other.Keys.Serial > s.Keys.Serial {
		s.Keys = other.Keys
	}
	if other.Release.Serial > s.Release.Serial {
		s.Release, s.Version = other.Release, other.Version
	}
	return s
}

func (s Seen) advance(d Description, keys Keys, r *Release) (next Seen, err error) {
	if next.Keys, err = s.Keys.advance(keys.Serial, d.Keys.Payload); err != nil {
		return s, fmt.Errorf("keys: %w", err)
	}
	if next.Release, err = s.Release.advance(r.Serial, d.Release.Payload); err != nil {
		return s, fmt.Errorf("release: %w", err)
	}
	next.Version = r.Version
	if order, known := Compare(r.Version, s.Version); known && order < 0 {
		return s, fmt.Errorf("release: %w: version %s after %s", ErrRollback, r.Version, s.Version)
	}
	return next, nil
}

func (m Mark) advance(serial int64, payload []byte) (Mark, error) {
	next := Mark{serial, digest(payload)}
	switch {
	case serial < m.Serial:
		return m, fmt.Errorf("%w: serial %d after %d", ErrRollback, serial, m.Serial)
	case serial == m.Serial && next.SHA256 != m.SHA256:
		return m, fmt.Errorf("%w: serial %d stands for two contents", ErrMixed, serial)
	}
	return next, nil
}
