// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// cache keeps answers in files: a line of JSON, then the answer. Names are digests of what was asked. Nothing in it is
// believed: what is read is checked like what is fetched.
type cache struct {
	dir  string // empty: no cache
	size int64
	mu   sync.Mutex // one eviction at a time
}

// entry is one answer kept.
type entry struct {
	Kind     string    `json:"kind"`
	URL      string    `json:"url"`
	Got      time.Time `json:"got"`
	Checked  time.Time `json:"checked"` // when the server last said that it is current
	Until    time.Time `json:"until"`   // its own nextUpdate; zero when it does not tell
	ETag     string    `json:"etag,omitempty"`
	Modified string    `json:"modified,omitempty"`
	Sum      string    `json:"sha256"`

	body []byte
}

const (
	entrySuffix = ".answer"
	maxMeta     = 8 << 10
)

// imports is the folder of revocation lists a person brought.
func (k *cache) imports() string { return filepath.Join(k.dir, "imported") }

// name is the file of what was asked.
func name(kind, url string, more []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", kind, url)
	h.Write(more)
	return hex.EncodeToString(h.Sum(nil)) + entrySuffix
}

// get returns an entry, nil when there is none. A damaged file is removed.
func (k *cache) get(file string, limit int64) *entry {
	if k.dir == "" {
		return nil
	}
	path := filepath.Join(k.dir, file)
	e, err := readEntry(path, limit)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			os.Remove(path)
		}
		return nil
	}
	now := time.Now()
	os.Chtimes(path, now, now) // the least recently used are evicted first
	return e
}

func readEntry(path string, limit int64) (*entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > limit+maxMeta {
		return nil, fmt.Errorf("not an entry: %w", errors.Join(err, fs.ErrInvalid))
	}
	all := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, all); err != nil {
		return nil, err
	}
	return parseEntry(all)
}

func parseEntry(all []byte) (*entry, error) {
	line, body, ok := bytes.Cut(all, []byte("\n"))
	e := &entry{body: body}
	if !ok || len(line) > maxMeta {
		return nil, errors.New("no description")
	}
	if err := json.Unmarshal(line, e); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); e.Sum != hex.EncodeToString(sum[:]) {
		return nil, errors.New("damaged")
	}
	return e, nil
}

// put keeps an entry. That it cannot be kept is no failure of what was asked: the error is for the log.
func (k *cache) put(file string, e *entry) error {
	if k.dir == "" {
		return nil
	}
	sum := sha256.Sum256(e.body)
	e.Sum = hex.EncodeToString(sum[:])
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(k.dir, file), append(line, '\n'), e.body); err != nil {
		return err
	}
	return k.evict()
}

// writeWhole writes a file of mode 0600 under a name of its own, then gives it its name.
func writeWhole(path string, parts ...[]byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// evict removes what was not used for longest until the cache fits, and what a process that died left half written.
func (k *cache) evict() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, d := range list {
		fi, err := d.Info()
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		if strings.HasPrefix(d.Name(), ".new-") && time.Since(fi.ModTime()) > time.Hour {
			os.Remove(filepath.Join(k.dir, d.Name()))
			continue
		}
		if strings.HasSuffix(d.Name(), entrySuffix) {
			files, total = append(files, fi), total+fi.Size()
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].ModTime().Before(files[j].ModTime()) })
	for _, fi := range files {
		if total <= k.size {
			break
		}
		os.Remove(filepath.Join(k.dir, fi.Name()))
		total -= fi.Size()
	}
	return nil
}
