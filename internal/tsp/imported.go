// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"persten/internal/cert"
)

// maxImported is how many lists of one issuer are kept; a CA may split its list in parts.
const maxImported = 8

// Import takes a revocation list, DER or PEM, from a file into the cache, where it stays until newer ones of the issuer
// replace it. It needs no connection. Who signed it is judged when it is used.
func (c *Client) Import(path string) (*cert.CRL, error) {
	if c.cache.dir == "" {
		return nil, errors.New("there is no cache to import into")
	}
	body, err := readFile(path, kindCRL.limit)
	if err != nil {
		return nil, err
	}
	der, l, err := readCRL(body)
	if err != nil {
		return nil, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	now := c.now().UTC().Truncate(time.Second)
	e := &entry{Kind: kindCRL.name, URL: full, Got: now, Checked: now, Until: l.NextUpdate, body: der}
	own := sha256.Sum256(der)
	file := filepath.Join("imported", issuerPrefix(l.RawIssuer)+hex.EncodeToString(own[:8])+entrySuffix)
	if err := c.cache.put(file, e); err != nil {
		return nil, err
	}
	return l, c.thin(l.RawIssuer)
}

func issuerPrefix(rawIssuer []byte) string {
	sum := sha256.Sum256(rawIssuer)
	return hex.EncodeToString(sum[:16]) + "-"
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s: %w", path, tooLarge(limit))
	}
	return body, err
}

// held lists the files imported for an issuer.
func (c *Client) held(rawIssuer []byte) (files []string) {
	if c.cache.dir == "" {
		return nil
	}
	list, _ := os.ReadDir(c.cache.imports()) // missing before the first import
	for _, d := range list {
		if strings.HasPrefix(d.Name(), issuerPrefix(rawIssuer)) && strings.HasSuffix(d.Name(), entrySuffix) {
			files = append(files, filepath.Join("imported", d.Name()))
		}
	}
	return files
}

// imported reads the lists imported for an issuer.
func (c *Client) imported(issuer *cert.Certificate) (list []dated) {
	for _, file := range c.held(issuer.X509.RawSubject) {
		e := c.cache.get(file, kindCRL.limit)
		if e == nil {
			continue
		}
		if _, l, err := readCRL(e.body); err == nil {
			list = append(list, dated{cert.Answer{DER: e.body, From: e.URL, Got: e.Got}, l.ThisUpdate})
		}
	}
	return list
}

// thin removes the oldest lists of an issuer that has too many.
func (c *Client) thin(rawIssuer []byte) error {
	type held struct {
		file string
		at   time.Time
	}
	var all []held
	for _, file := range c.held(rawIssuer) {
		if e := c.cache.get(file, kindCRL.limit); e != nil {
			if _, l, err := readCRL(e.body); err == nil {
				all = append(all, held{file, l.ThisUpdate})
			}
		}
	}
	slices.SortFunc(all, func(a, b held) int { return b.at.Compare(a.at) })
	var errs []error
	for _, h := range all[min(len(all), maxImported):] {
		errs = append(errs, os.Remove(filepath.Join(c.cache.dir, h.file)))
	}
	return errors.Join(errs...)
}
