// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile bounds one file of certificates, maxFiles a folder of them.
const (
	maxFile  = 16 << 20
	maxFiles = 10_000
)

// ReadFiles reads the certificates in a file, see ParseAll, or in all files of a folder. It returns what could be read, with
// the joined errors of what could not.
func ReadFiles(path string) ([]*Certificate, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return readFile(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s: more than %d files", path, maxFiles)
	}
	var all []*Certificate
	var errs []error
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		found, err := readFile(filepath.Join(path, e.Name()))
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

func readFile(path string) ([]*Certificate, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: over %d bytes", path, maxFile)
	}
	found, err := ParseAll(data)
	if err != nil {
		return found, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}
