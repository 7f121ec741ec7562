// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxListFile bounds a file of one list: PEM is a third longer than DER.
const maxListFile = 48 << 20

// Files is a Source of CRLs that lie in files, imported by a person or brought by a script. It does not change.
type Files struct{ lists []heldList }

// ReadLists reads the CRLs in a file, PEM or DER, or in all files of a folder. It returns what could be read, with the
// joined errors of what could not; files of a folder that hold no CRL are errors too.
func ReadLists(path string) (*Files, error) {
	f := &Files{}
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	if !info.IsDir() {
		return f, f.read(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return f, err
	}
	if len(entries) > maxFiles {
		return f, fmt.Errorf("%s: more than %d files", path, maxFiles)
	}
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			errs = append(errs, f.read(filepath.Join(path, e.Name())))
		}
	}
	return f, errors.Join(errs...)
}

func (f *Files) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxListFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxListFile {
		return fmt.Errorf("%s: %w", path, ErrAnswerTooLarge)
	}
	if err := f.add(data, path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// add takes one DER list, or all the lists of a PEM file.
func (f *Files) add(data []byte, from string) error {
	block, rest := pem.Decode(data)
	if block == nil {
		return f.addOne(data, from)
	}
	var errs []error
	n := len(f.lists)
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			errs = append(errs, f.addOne(block.Bytes, from))
		}
	}
	if len(f.lists) == n && len(errs) == 0 {
		return ErrCRL
	}
	return errors.Join(errs...)
}

func (f *Files) addOne(der []byte, from string) error {
	l, err := ParseCRL(der)
	if err == nil {
		f.lists = append(f.lists, heldList{Answer{DER: der, From: from, list: l}, l})
	}
	return err
}

// Lists returns the lists, in the order they were read.
func (f *Files) Lists() []*CRL {
	out := make([]*CRL, len(f.lists))
	for i, h := range f.lists {
		out[i] = h.list
	}
	return out
}

// Revocation implements Source: the lists that bear the name of c's issuer, and the indirect ones that c names.
func (f *Files) Revocation(_ context.Context, c, _ *Certificate) ([]Answer, error) {
	points, err := c.points()
	if err != nil {
		return nil, err
	}
	var all []Answer
	for _, h := range f.lists {
		for _, p := range points {
			if p.coveredBy(h.list, c) {
				all = append(all, h.answer)
				break
			}
		}
	}
	return all, nil
}

// Issuers implements Source; files of lists know none.
func (f *Files) Issuers(context.Context, *Certificate) ([]*Certificate, error) { return nil, nil }
