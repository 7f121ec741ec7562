// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"

	"persten/internal/config"
)

// maxPEM bounds a file of certificates.
const maxPEM = 1 << 20

// tlsConfig believes the system's authorities and those policy names, and shows our certificate where there is one.
func tlsConfig(f config.Forward) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		data, err := readPEM(f.CA)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(data) {
			return nil, unreadable(f.CA, errors.New("no certificate in it"))
		}
		c.RootCAs = pool
	}
	if f.Certificate == "" {
		return c, nil
	}
	cert, err := readPEM(f.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(f.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, unreadable(f.Certificate, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func readPEM(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return nil, unreadable(file, err)
	}
	return data, nil
}
