// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// maxFiles bounds how many files one inventory holds.
const maxFiles = 256

// Files is an inventory of key files, each a token whose PIN is the file's password: those in some folders, and those a person
// added. It looks at the disk anew whenever it is asked.
//
// The certificates of a file that was added are remembered in a list of its own, without the password, and count as long as
// the file is the one that was added. A file of a folder that shows nothing without its password is a token without keys until
// it is added too.
type Files struct {
	dirs []string
	list string // path of the list of added files

	mu    sync.Mutex
	known map[string]*entry // by path; those that are there, and those that were added
	told  string            // the fault of the list that was logged last
	watch watch
}

// entry is one file.
type entry struct {
	file  *File // nil while it is no token
	fault error // why
	stamp stamp // of what was read
	added *added
	fixed bool // in a folder
}

// OpenFiles makes an inventory of the files in dirs and of those in the list at path, which need not be there yet.
func OpenFiles(dirs []string, path string) *Files {
	return &Files{dirs: dirs, list: path, known: map[string]*entry{}, watch: newWatch()}
}

// Known is what List tells of a file.
type Known struct {
	Path         string
	Fixed        bool  // it lies in a folder: Remove does not forget it
	Fault        error // why it is no token; nil when it is one
	Certificates []*cert.Certificate
}

// List returns the files in folders and those that were added, also when they are gone.
func (f *Files) List() []Known {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	var out []Known
	for _, path := range f.paths() {
		out = append(out, f.known[path].describe(path))
	}
	return out
}

func (e *entry) describe(path string) Known {
	k := Known{Path: path, Fixed: e.fixed, Fault: e.fault}
	if e.file != nil {
		for _, at := range e.file.shown() {
			k.Certificates = append(k.Certificates, at.cert)
		}
	}
	return k
}

// Describe tells of the token a file would be, so that its password can be asked for.
func (f *Files) Describe(path string) (token.Info, error) {
	file, err := OpenFile(path)
	if err != nil {
		return token.Info{}, err
	}
	return file.info()
}

// Add opens a file with its password, which it consumes and does not keep, and makes it a token. A wrong password is
// *token.PINError; a file without a certificate that has its key is token.ErrAbsent.
func (f *Files) Add(path string, password secret.PIN) (Known, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Known{}, err
	}
	a, err := learn(path, password)
	if err != nil {
		return Known{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := changeList(f.list, func(l *fileList) error { return l.put(path, a) }); err != nil {
		return Known{}, err
	}
	f.look()
	return f.known[path].describe(path), nil
}

// Remove forgets a file that was added.
func (f *Files) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return changeList(f.list, func(l *fileList) error {
		delete(l.Files, path)
		return nil
	})
}

// Fixed reports whether a file lies in one of the folders.
func (f *Files) Fixed(path string) bool { return slices.Contains(f.dirs, filepath.Dir(path)) }

// Keys implements token.Inventory.
func (f *Files) Keys(ctx context.Context) ([]token.Key, error) {
	return gather(f, func(t *File) ([]token.Key, error) {
		if t.isSealed() {
			return nil, nil // a token whose keys nobody can tell yet
		}
		return t.Keys(ctx)
	})
}

// Tokens implements token.Inventory.
func (f *Files) Tokens(ctx context.Context) ([]token.Info, error) {
	return gather(f, func(t *File) ([]token.Info, error) { return t.Tokens(ctx) })
}

// gather asks every file that is a token. One that vanishes meanwhile is passed over.
func gather[T any](f *Files, of func(*File) ([]T, error)) (out []T, err error) {
	for _, t := range f.tokens() {
		if list, err := of(t); err == nil {
			out = append(out, list...)
		}
	}
	return out, nil
}

func (f *Files) tokens() (out []*File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	for _, path := range f.paths() {
		if e := f.known[path]; e.file != nil {
			out = append(out, e.file)
		}
	}
	return out
}

func (f *Files) paths() []string {
	var paths []string
	for p := range f.known {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, cmp.Compare)
	return paths
}

// look brings known up to date with the disk. The caller holds mu.
func (f *Files) look() {
	wanted := map[string]*added{}
	for path, a := range f.remembered() {
		wanted[path] = a
	}
	fixed := map[string]bool{}
	for _, path := range inFolders(f.dirs) {
		fixed[path] = true
		if _, both := wanted[path]; !both {
			wanted[path] = nil
		}
	}
	for path := range f.known {
		if _, stays := wanted[path]; !stays {
			delete(f.known, path)
		}
	}
	for path, a := range wanted {
		f.refresh(path, a).fixed = fixed[path]
	}
}

// remembered are the files that were added. The same fault of their list is logged once.
func (f *Files) remembered() map[string]*added {
	l, err := readList(f.list)
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != "" && fault != f.told {
		slog.Warn("list of key files is not used", "file", f.list, "cause", err)
	}
	f.told = fault
	return l.Files
}

// refresh reads a file again when it, or what is remembered of it, is another. An unchanged one stays the same *File, because
// its lease is the token's.
func (f *Files) refresh(path string, a *added) *entry {
	now, err := stampOf(path)
	e := f.known[path]
	if e != nil && err == nil && e.stamp == now && e.added.same(a) {
		return e
	}
	old := e
	e = &entry{added: a, stamp: now, fault: err}
	f.known[path] = e
	if err != nil {
		return e
	}
	if e.file, e.fault = OpenFile(path); e.fault != nil {
		e.file = nil
		return e
	}
	if old != nil && old.file != nil {
		e.file.held = old.file.held
	}
	e.file.recall(a)
	return e
}

// inFolders finds the key files that lie in folders, not below them.
func inFolders(dirs []string) (paths []string) {
	for _, dir := range dirs {
		list, _ := os.ReadDir(dir) // a folder that is not there has no files
		for _, d := range list {
			ext := strings.ToLower(filepath.Ext(d.Name()))
			if len(paths) < maxFiles && (ext == ".pfx" || ext == ".p12") && !strings.HasPrefix(d.Name(), ".") {
				paths = append(paths, filepath.Join(dir, d.Name()))
			}
		}
	}
	return paths
}
