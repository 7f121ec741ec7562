// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Trusted is the name under which certificates of ours stand in the stores of browsers.
const Trusted = "Persten loopback"

// ErrNoTrustTool is the error when the program that changes certificate stores is not installed.
var ErrNoTrustTool = errors.New("certutil is not installed")

// TrustTool is the package that program comes in.
const TrustTool = "libnss3-tools"

const (
	toolTimeout = 20 * time.Second
	maxOurs     = 32 // certificates of ours in one store
)

// TrustStore is a certificate store of this user's browsers, an NSS database, and whether a certificate is in it.
type TrustStore struct {
	Path    string `json:"path"`
	Trusted bool   `json:"trusted"`
}

// Trust makes this user's browsers trust the authority in a PEM file for web sites, in place of any that stood there under
// the same name. Chromium's store is made when it is not there; Firefox has one in each profile. What could not be changed is
// in the error; the stores tell how each one is.
func Trust(ctx context.Context, file string) ([]TrustStore, error) {
	return eachStore(ctx, file, func(dir string) error {
		if err := distrust(ctx, dir); err != nil {
			return err
		}
		if !exists(filepath.Join(dir, "cert9.db")) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			if _, err := tool(ctx, dir, "-N", "--empty-password"); err != nil {
				return err
			}
		}
		_, err := tool(ctx, dir, "-A", "-n", Trusted, "-t", "C,,", "-i", file)
		return err
	})
}

// Distrust takes all certificates of ours out of this user's browsers.
func Distrust(ctx context.Context) ([]TrustStore, error) {
	return eachStore(ctx, "", func(dir string) error { return distrust(ctx, dir) })
}

// TrustStatus tells which stores hold the authority in a PEM file.
func TrustStatus(ctx context.Context, file string) ([]TrustStore, error) {
	return eachStore(ctx, file, func(string) error { return nil })
}

func eachStore(ctx context.Context, file string, do func(dir string) error) (list []TrustStore, err error) {
	dirs, err := trustStores()
	if err != nil {
		return nil, err
	}
	var want []byte
	if file != "" {
		if want, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	for _, dir := range dirs {
		if bad := do(dir); bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", dir, bad))
		}
		list = append(list, TrustStore{Path: dir, Trusted: len(want) > 0 && holds(ctx, dir, want)})
	}
	return list, err
}

// distrust takes ours out of one store.
func distrust(ctx context.Context, dir string) error {
	if !exists(filepath.Join(dir, "cert9.db")) {
		return nil
	}
	for range maxOurs {
		switch _, err := tool(ctx, dir, "-L", "-n", Trusted); {
		case err != nil && strings.Contains(err.Error(), "PR_FILE_NOT_FOUND_ERROR"):
			return nil // none is left
		case err != nil:
			return err // a browser that writes there holds it for a moment
		}
		if _, err := tool(ctx, dir, "-D", "-n", Trusted); err != nil {
			return err
		}
	}
	return errors.New("too many certificates of one name")
}

// holds reports whether a store has the certificate under our name.
func holds(ctx context.Context, dir string, want []byte) bool {
	if !exists(filepath.Join(dir, "cert9.db")) {
		return false
	}
	out, err := tool(ctx, dir, "-L", "-n", Trusted, "-a")
	squeeze := func(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }
	return err == nil && bytes.Equal(squeeze(out), squeeze(want))
}

// tool runs certutil on one store. It has no input: a store with a password of its own refuses instead of waiting.
func tool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "certutil", append([]string{"-d", "sql:" + dir}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("certutil %s: %w: %.200s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// profilesIn lists the Firefox profiles of a folder that have a certificate store.
func profilesIn(folder string) []string {
	found, err := filepath.Glob(filepath.Join(folder, "*", "cert9.db"))
	if err != nil {
		return nil // the pattern is well-formed unless the home is called something like [
	}
	for i, f := range found {
		found[i] = filepath.Dir(f)
	}
	slices.Sort(found)
	return found
}
