// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"persten/proto"
)

// maxKeyFile is far above the few hundred bytes of a P-256 key.
const maxKeyFile = 4 << 10

const keyBlock = "PRIVATE KEY"

// Identity is the key by which sites know this user's agent again. It signs nothing but answers to challenges.
type Identity struct {
	key  *ecdsa.PrivateKey
	spki []byte
}

// OpenIdentity reads the key from the file at path, or makes one when there is no file. A file that is damaged or that
// others could have read is proto.CodeAgentKeyUnsafe: it is never used, and never replaced without the person.
func OpenIdentity(path string) (*Identity, error) {
	release, err := lockFile(path + ".lock")
	if err != nil {
		return nil, unwritable(path, err)
	}
	defer release()
	data, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeIdentity(path)
	}
	if err != nil {
		return nil, unsafeKey(path, err)
	}
	defer clear(data)
	i, err := parseIdentity(data)
	if err != nil {
		return nil, unsafeKey(path, err)
	}
	return i, nil
}

// Prove signs the text by which a page at origin recognises the agent. The key is a SubjectPublicKeyInfo, the proof r and s.
func (i *Identity) Prove(origin, challenge string) (key, proof []byte, err error) {
	text := sha256.Sum256([]byte("persten agent v1\n" + origin + "\n" + challenge))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, text[:])
	if err != nil {
		return nil, nil, err
	}
	proof = make([]byte, 64)
	r.FillBytes(proof[:32])
	s.FillBytes(proof[32:])
	return i.spki, proof, nil
}

func makeIdentity(path string) (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})
	defer clear(data)
	defer clear(der)
	if err := replaceFile(path, data); err != nil {
		return nil, unwritable(path, err)
	}
	return newIdentity(key)
}

func parseIdentity(data []byte) (*Identity, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != keyBlock || len(rest) > 0 {
		return nil, errors.New("not a key in PEM")
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a PKCS#8 key")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key")
	}
	return newIdentity(key)
}

func newIdentity(key *ecdsa.PrivateKey) (*Identity, error) {
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return &Identity{key, spki}, err
}

// readPrivate reads a file that nobody but this user could have read or written.
func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if why := readableFile(fi); why != "" {
		return nil, errors.New(why)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("longer than %d bytes", maxKeyFile)
	}
	return data, err
}

func unsafeKey(path string, err error) error {
	return proto.E(proto.CodeAgentKeyUnsafe, err, "file", path, "detail", err.Error())
}
