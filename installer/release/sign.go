// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"persten/internal/update"
)

// keygen makes a key for a file of its own and prints the public half. The file is what has to be kept; see RELEASE.md.
func keygen(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("keygen: want the name of a new file")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, base64.StdEncoding.EncodeToString(public))
	return err
}

func readKey(file string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if private, ok := key.(ed25519.PrivateKey); ok {
		return private, nil
	}
	return nil, fmt.Errorf("%s: not an Ed25519 key", file)
}

func publicKeys(list []string) (keys []ed25519.PublicKey, err error) {
	for _, text := range list {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%q is not a public key", text)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// period begins now.
func period(days int) update.Period {
	now := time.Now().UTC().Truncate(time.Second)
	return update.Period{Issued: now, Expires: now.AddDate(0, 0, days)}
}

// signKeys writes the list of keys that sign releases, signed by a root key.
func signKeys(args []string, _ io.Writer) error {
	f := flag.NewFlagSet("keys", 0)
	root, out := f.String("root", "", ""), f.String("out", "", "")
	serial, days, threshold := f.Int64("serial", 0, ""), f.Int("days", 365, ""), f.Int("threshold", 1, "")
	if err := parse(f, args, "root", "serial", "out"); err != nil {
		return err
	}
	private, err := readKey(*root)
	if err != nil {
		return err
	}
	public, err := publicKeys(f.Args())
	if err != nil {
		return err
	}
	if *threshold > len(public) {
		return fmt.Errorf("keys: %d of %d keys cannot sign", *threshold, len(public))
	}
	list := update.Keys{Serial: *serial, Period: period(*days), Threshold: *threshold, Keys: public}
	return writeJSON(*out, update.Seal(update.KeysType, list, private))
}

func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// describe writes the description of the packages in a folder. It is read again, as programs with these roots will read it.
func describe(args []string, out io.Writer) error {
	var r update.Release
	var signers several
	f := flag.NewFlagSet("describe", 0)
	f.StringVar(&r.Channel, "channel", "stable", "")
	f.StringVar(&r.Version, "version", "", "")
	f.StringVar(&r.Notes, "notes", "", "")
	f.Int64Var(&r.Serial, "serial", 0, "")
	f.Var(&signers, "key", "")
	dir, url, days := f.String("dir", "", ""), f.String("url", "", ""), f.Int("days", 60, "")
	keys, roots, to := f.String("keys", "", ""), f.String("roots", "", ""), f.String("out", "", "")
	err := parse(f, args, "dir", "url", "version", "serial", "notes", "keys", "key", "roots", "out")
	if err != nil {
		return err
	}
	r.Period = period(*days)
	if r.Packages, err = packagesIn(*dir, *url, r.Version); err != nil {
		return err
	}
	data, err := seal(r, *keys, signers, *roots)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: version %s, serial %d, %d packages, until %s\n", *to, r.Version, r.Serial, len(r.Packages), r.Expires.Format(time.DateOnly))
	return os.WriteFile(*to, data, 0o644)
}

// seal signs r with the keys in files, beside the list of keys in another file, into a description that programs with these roots believe.
func seal(r update.Release, keys string, signers []string, roots string) ([]byte, error) {
	var d update.Description
	data, err := os.ReadFile(keys)
	if err = cmp.Or(err, json.Unmarshal(data, &d.Keys)); err != nil {
		return nil, fmt.Errorf("%s: %w", keys, err)
	}
	var private []ed25519.PrivateKey
	for _, file := range signers {
		key, err := readKey(file)
		if err != nil {
			return nil, err
		}
		private = append(private, key)
	}
	d.Release = update.Seal(update.ReleaseType, r, private...)
	public, err := publicKeys(strings.Split(roots, ","))
	if err != nil {
		return nil, err
	}
	if _, _, err := (update.Trust{Roots: public, Channel: r.Channel, Now: time.Now()}).Read(d.Encode()); err != nil {
		return nil, fmt.Errorf("no program would believe this: %w", err)
	}
	return d.Encode(), nil
}

// packageName tells packages by their names, as `make package` gives them.
var packageName = regexp.MustCompile(`^(persten|persten-desktop)[_-]([0-9]+\.[0-9]+\.[0-9]+)(?:-[0-9]+)?(?:[._-](amd64|x86_64|x64|arm64|aarch64))?(-user)?\.(deb|rpm|msi)$`)

var processors = map[string]string{"amd64": "amd64", "x86_64": "amd64", "x64": "amd64", "": "amd64", "arm64": "arm64", "aarch64": "arm64"}

func packagesIn(dir, url, version string) ([]update.Package, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []update.Package
	for _, file := range files {
		m := packageName.FindStringSubmatch(file.Name())
		if m == nil {
			continue
		}
		if m[2] != version {
			return nil, fmt.Errorf("%s in a release of %s", file.Name(), version)
		}
		system := map[bool]string{true: "windows/", false: "linux/"}[m[5] == "msi"] + processors[m[3]]
		p := update.Package{Name: m[1], System: system, Kind: m[5] + strings.TrimPrefix(m[4], "-"), File: file.Name(), URL: strings.TrimSuffix(url, "/") + "/" + file.Name()}
		if p.Size, p.SHA256, err = measure(filepath.Join(dir, file.Name())); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no packages", dir)
	}
	slices.SortFunc(list, func(a, b update.Package) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File)) })
	return list, nil
}

func measure(file string) (size int64, sum string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}
