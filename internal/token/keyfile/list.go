// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// maxListFile is the largest list that is read: 256 files with a few certificates each.
const maxListFile = 8 << 20

// fileList is the list of added files as written.
type fileList struct {
	Version int               `json:"version"`
	Files   map[string]*added `json:"files"` // by path
}

// added is what is remembered of a file: which one it was, and whose keys it holds.
type added struct {
	SHA256       string       `json:"sha256"`
	Certificates []remembered `json:"certificates"`
}

type remembered struct {
	DER     []byte `json:"der"`
	LocalID []byte `json:"localId,omitempty"`
	Name    string `json:"name,omitempty"`
}

func (a *added) same(b *added) bool { return reflect.DeepEqual(a, b) }

var errFull = fmt.Errorf("more than %d key files", maxFiles)

func (l *fileList) put(path string, a *added) error {
	if _, there := l.Files[path]; !there && len(l.Files) >= maxFiles {
		return errFull
	}
	l.Files[path] = a
	return nil
}

// learn opens the file at path with its password and returns what is to be remembered.
func learn(path string, password secret.PIN) (*added, error) {
	f, err := OpenFile(path)
	if err != nil {
		password.Close()
		return nil, err
	}
	if err := f.Unlock(password); err != nil {
		return nil, err
	}
	defer f.Close()
	_, data, err := load(path)
	if err != nil {
		return nil, err
	}
	a := &added{SHA256: fingerprint(data)}
	for _, at := range f.shown() {
		a.Certificates = append(a.Certificates, remembered{at.cert.Raw, at.localID, at.name})
	}
	if len(a.Certificates) == 0 {
		return nil, token.ErrAbsent
	}
	return a, nil
}

func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// recall lists what is remembered of the file, if it is still that file.
func (f *File) recall(a *added) {
	if a == nil {
		return
	}
	if _, data, err := load(f.path); err != nil || fingerprint(data) != a.SHA256 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.sealed = nil, false
	for _, r := range a.Certificates {
		if c, err := cert.Parse(r.DER); err == nil {
			f.list = append(f.list, listed{cert: c, localID: r.LocalID, name: r.Name})
		}
	}
}

// stamp tells a file from the one that was there before.
type stamp struct {
	size int64
	time time.Time
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return stamp{}, malformed("not a plain file")
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

// readList reads the list. One that cannot be used is empty, and the error says why: its files have to be added again.
func readList(path string) (fileList, error) {
	l, err := parseListAt(path)
	if err != nil || l.Files == nil {
		l = fileList{Version: 1, Files: map[string]*added{}}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return l, err
}

func parseListAt(path string) (fileList, error) {
	f, err := os.Open(path)
	if err != nil {
		return fileList{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxListFile+1))
	if err != nil {
		return fileList{}, err
	}
	return parseList(data)
}

// parseList reads strictly.
func parseList(data []byte) (l fileList, err error) {
	if len(data) > maxListFile {
		return l, errors.New("too large")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return fileList{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return fileList{}, errors.New("something follows the list")
	}
	if l.Version != 1 || len(l.Files) > maxFiles {
		return fileList{}, errors.New("written by another version of the program")
	}
	for path, a := range l.Files {
		if !filepath.IsAbs(path) || a == nil || len(a.Certificates) > maxBags {
			return fileList{}, errors.New("an entry is not a key file")
		}
	}
	return l, nil
}

// changeList changes the list while no other process does.
func changeList(path string, change func(*fileList) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := lockFile(lock); err != nil {
		return err
	}
	defer unlockFile(lock)
	l, _ := readList(path)
	if err := change(&l); err != nil {
		return err
	}
	data, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}
