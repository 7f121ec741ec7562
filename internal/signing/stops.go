// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"persten/internal/secret"
)

// fileStamp tells one version of a file from another.
type fileStamp struct {
	modified int64 // nanoseconds
	size     int64
}

func stampOf(i os.FileInfo) fileStamp { return fileStamp{i.ModTime().UnixNano(), i.Size()} }

// stops remembers PIN files that are not to be used any more, because the token refused what they hold. A stop holds for
// the whole session, and in later sessions while the file is the same by time and size: a service that is restarted again
// and again must not spend the token's attempts. It is kept in a file of the folder dir, one for each PIN file, without
// anything of the PIN. Its owner guards it with a mutex.
type stops struct {
	dir     string
	files   map[string]bool // stopped, by path
	doubted map[string]bool // by path: the last login ended without an answer about the PIN
}

func newStops(dir string) stops {
	return stops{dir: dir, files: map[string]bool{}, doubted: map[string]bool{}}
}

func (s *stops) stopped(file string) bool { return file != "" && s.files[file] }

// path is where a stop is kept.
func (s *stops) path(file string) string {
	sum := sha256.Sum256([]byte(file))
	return filepath.Join(s.dir, "pin-stopped-"+hex.EncodeToString(sum[:8]))
}

// stop ends the use of a PIN file. stamp is the version that was used, zero when none was.
func (s *stops) stop(file string, stamp fileStamp, why string) {
	if file == "" || s.files[file] {
		return
	}
	s.files[file] = true
	if i, err := os.Lstat(file); err == nil && stamp == (fileStamp{}) {
		stamp = stampOf(i)
	}
	slog.Error("unattended signing with this PIN file is stopped until the file is changed and the session restarted",
		"file", file, "cause", why)
	if err := s.write(file, stamp); err != nil {
		slog.Error("that it is stopped cannot be kept for the next start", "file", s.path(file), "cause", err)
	}
}

// write keeps a stop.
func (s *stops) write(file string, stamp fileStamp) error {
	return replaceFile(s.path(file), fmt.Appendf(nil, "%d %d\n", stamp.modified, stamp.size))
}

// replaceFile writes a file of this user's alone, whole or not at all.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// recall takes over the stop of an earlier session, and drops it when the PIN file is another.
func (s *stops) recall(file string) {
	if file == "" {
		return
	}
	f, err := os.Open(s.path(file))
	if os.IsNotExist(err) {
		return
	}
	var was fileStamp
	if err == nil {
		defer f.Close()
		_, err = fmt.Fscanf(io.LimitReader(f, 64), "%d %d\n", &was.modified, &was.size)
	}
	now, statErr := os.Lstat(file)
	if err == nil && statErr == nil && stampOf(now) != was {
		slog.Info("a PIN file was changed after its PIN had been refused; it is used again", "file", file)
		os.Remove(s.path(file))
		return
	}
	slog.Error("unattended signing with this PIN file stays stopped: change the file, or remove what keeps the stop, and restart the session",
		"file", file, "stop", s.path(file))
	s.files[file] = true
}

// pinFromFile takes a PIN from a file that only this user or root can read. One line end after it is not part of it.
func pinFromFile(path string) (secret.PIN, fileStamp, error) {
	f, err := openPINFile(path)
	if err != nil {
		return secret.PIN{}, fileStamp{}, err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return secret.PIN{}, fileStamp{}, err
	}
	b, err := secret.FromFile(f).Read()
	if err != nil {
		return secret.PIN{}, fileStamp{}, err
	}
	if err := unbroken(b); err != nil {
		b.Wipe()
		return secret.PIN{}, fileStamp{}, err
	}
	pin, err := secret.Handle(b)
	return pin, stampOf(i), err
}

// unbroken takes one line end off b and wants something left that has no other.
func unbroken(b *secret.Buffer) error {
	for _, end := range []byte{'\n', '\r'} {
		if n := b.Len(); n > 0 && b.Bytes()[n-1] == end {
			b.Backspace()
		} else if end == '\n' {
			break // a carriage return alone ends no line
		}
	}
	for _, c := range b.Bytes() {
		if c < ' ' {
			return errors.New("more than one line, or control characters")
		}
	}
	if b.Len() == 0 {
		return errors.New("empty")
	}
	return nil
}
