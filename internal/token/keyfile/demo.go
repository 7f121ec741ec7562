// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// Of the demo token. The PIN is no secret: it is shown to whoever tries the agent out.
const (
	DemoLabel    = "Persten demo"
	DemoPIN      = "12345678"
	DemoAttempts = 10
)

// Files of the demo token's folder, beside one .p12 per key.
const (
	demoCA       = "ca.pem"
	demoList     = "ca.crl"
	demoAttempts = "attempts.json"
	demoLock     = "lock"
)

// Demo is the demo token. It behaves like a token with a PIN and ten attempts.
type Demo struct {
	dir  string
	held *token.Lease
	ca   *cert.Certificate
	list []listed
	file []string // file[n] holds list[n]
}

// OpenDemo opens the demo token in dir, making it there at the first use.
func OpenDemo(dir string) (*Demo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo token: %w", err)
	}
	d := &Demo{dir: dir, held: token.NewLease()}
	if err := d.locked(d.prepare); err != nil {
		return nil, fmt.Errorf("demo token: %w", err)
	}
	return d, nil
}

// prepare makes what is not there and lists the keys. The CA is written last and so tells that all is there.
func (d *Demo) prepare() error {
	if _, err := os.Stat(filepath.Join(d.dir, demoCA)); errors.Is(err, os.ErrNotExist) {
		if err := makeDemo(d.dir); err != nil {
			return err
		}
	}
	var err error
	if d.ca, err = readCA(filepath.Join(d.dir, demoCA)); err != nil {
		return err
	}
	for _, k := range demoKeys {
		path := filepath.Join(d.dir, k.kind+".p12")
		p, _, err := load(path)
		if err != nil {
			return err
		}
		b, err := p.clear()
		if err != nil {
			return err
		}
		for _, at := range b.list() {
			d.list = append(d.list, at)
			d.file = append(d.file, path)
		}
	}
	return nil
}

// CA is the demo CA's certificate, for a verifier to trust. Its key does not exist any more.
func (d *Demo) CA() *cert.Certificate { return d.ca }

// CAFile is where the demo CA's certificate is, in PEM.
func (d *Demo) CAFile() string { return filepath.Join(d.dir, demoCA) }

// Keys implements token.Inventory.
func (d *Demo) Keys(context.Context) ([]token.Key, error) {
	info, err := d.info()
	if err != nil {
		return nil, err
	}
	var keys []token.Key
	for n, at := range d.list {
		keys = append(keys, &key{from: d, now: info, file: d.file[n], at: at})
	}
	return keys, nil
}

// Tokens implements token.Inventory.
func (d *Demo) Tokens(context.Context) ([]token.Info, error) {
	info, err := d.info()
	if err != nil {
		return nil, err
	}
	return []token.Info{info}, nil
}

// Events implements token.Inventory; the demo token is never pulled.
func (d *Demo) Events(ctx context.Context) <-chan token.Event { return silent(ctx) }

func (d *Demo) lease() *token.Lease { return d.held }

func (d *Demo) info() (token.Info, error) {
	left, err := d.attempts()
	if err != nil {
		return token.Info{}, err
	}
	return token.Info{
		Module: "demo", Label: DemoLabel, Serial: d.ca.ID()[:16], Model: "software", Manufacturer: "Persten",
		LoginRequired: true, Attempts: left, Low: left < DemoAttempts, Final: left == 1, Locked: left == 0,
		Demo: true, Path: d.dir,
	}, nil
}

// unlock spends an attempt before it tries, so that a crash is not a free one, and gives it back when the PIN was right
// or was not to blame.
func (d *Demo) unlock(pin secret.PIN, file string, want listed) (priv algo.PrivateKey, err error) {
	password, err := pin.Read()
	if err != nil {
		return nil, err
	}
	defer password.Wipe()
	_, data, err := load(file)
	if err != nil {
		return nil, err
	}
	err = d.locked(func() error {
		left, err := d.attempts()
		if err != nil {
			return err
		}
		if left == 0 {
			return token.ErrLocked
		}
		if err := d.setAttempts(left - 1); err != nil {
			return err
		}
		priv, err = unlock(data, password, want)
		switch {
		case err == nil:
			return d.setAttempts(DemoAttempts)
		case !errors.Is(err, errWrongPassword):
			return errors.Join(refused(err), d.setAttempts(left))
		case left == 1:
			return token.ErrLocked
		}
		return &token.PINError{Attempts: left - 1, Final: left == 2}
	})
	return priv, err
}

// counter is the file that outlives the process.
type counter struct {
	Attempts int `json:"attempts"`
}

// attempts reads the attempts left. A token without the file is new.
func (d *Demo) attempts() (int, error) {
	data, err := os.ReadFile(filepath.Join(d.dir, demoAttempts))
	if errors.Is(err, os.ErrNotExist) {
		return DemoAttempts, nil
	}
	if err != nil {
		return 0, err
	}
	var c counter
	if err := json.Unmarshal(data, &c); err != nil || c.Attempts < 0 || c.Attempts > DemoAttempts {
		return 0, nil // whoever damaged the counter does not win attempts
	}
	return c.Attempts, nil
}

func (d *Demo) setAttempts(n int) error {
	data, err := json.Marshal(counter{n})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(d.dir, demoAttempts), data)
}

// locked runs f while no other process is in it.
func (d *Demo) locked(f func() error) error {
	l, err := os.OpenFile(filepath.Join(d.dir, demoLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := lockFile(l); err != nil {
		return err
	}
	defer unlockFile(l)
	return f()
}

// writeFile replaces a file in one step and only once its bytes are on the disk.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
