// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os/exec"
	"strings"
	"time"
)

// token is the answer to a challenge, in the form of Web eID.
type token struct {
	Certificate []byte `json:"unverifiedCertificate"`
	Algorithm   string `json:"algorithm"`
	Signature   []byte `json:"signature"`
	Format      string `json:"format"`
	AppVersion  string `json:"appVersion"`
}

// refusal is why somebody is not let in.
type refusal string

func (r refusal) Error() string { return string(r) }

// hashes by the names of RFC 7518 section 3.1.
var hashes = map[string]crypto.Hash{
	"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512, "RS256": crypto.SHA256, "RS384": crypto.SHA384,
	"RS512": crypto.SHA512, "PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
}

// check returns nil when t answers nonce for this portal by the key of a certificate it trusts.
func (p *portal) check(ctx context.Context, t *token, nonce string) error {
	if t.Format != "web-eid:1.0" { // 1.1 brings further certificates, which this portal does not ask for
		return refusal("token_malformed")
	}
	if strings.HasPrefix(t.Algorithm, "GOST") {
		return p.byPersten(ctx, t, nonce)
	}
	hash, ok := hashes[t.Algorithm]
	if !ok {
		return refusal("algorithm_unsupported")
	}
	c, err := x509.ParseCertificate(t.Certificate)
	if err != nil {
		return fmt.Errorf("%w: %w", refusal("certificate_malformed"), err)
	}
	sum := func(data ...[]byte) []byte { h := hash.New(); h.Write(bytes.Join(data, nil)); return h.Sum(nil) }
	digest := sum(sum([]byte(p.origin)), sum([]byte(nonce)))
	if !fits(c, t, hash, digest) {
		return refusal("login_mismatch")
	}
	return p.trusts(c)
}

func fits(c *x509.Certificate, t *token, hash crypto.Hash, digest []byte) bool {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		size := (key.Params().N.BitLen() + 7) / 8
		if t.Algorithm[:2] != "ES" || len(t.Signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(t.Signature[:size]), new(big.Int).SetBytes(t.Signature[size:])
		return ecdsa.Verify(key, digest, r, s)
	case *rsa.PublicKey:
		switch {
		case key.N.BitLen() < 2048, key.N.BitLen() > 8192: // too weak; seconds of work for whoever sends it
			return false
		case t.Algorithm[:2] == "RS":
			return rsa.VerifyPKCS1v15(key, hash, digest, t.Signature) == nil
		case t.Algorithm[:2] == "PS":
			return rsa.VerifyPSS(key, hash, digest, t.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	}
	return false
}

// trusts follows the certificate to a root. Revocation is for a portal to add (OCSP or lists of the issuer).
func (p *portal) trusts(c *x509.Certificate) error {
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refusal("certificate_not_for_login")
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: p.roots, CurrentTime: p.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("%w: %w", refusal("certificate_untrusted"), err)
	}
	return nil
}

// byPersten has the command judge all of it: signature, chain and revocation, as its options say.
func (p *portal) byPersten(ctx context.Context, t *token, nonce string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	args := append([]string{"verify", "login", "-", "--origin=" + p.origin, "--nonce=" + nonce, "--json"}, p.persten[1:]...)
	cmd := exec.CommandContext(ctx, p.persten[0], args...)
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	cmd.Stdin = bytes.NewReader(data)
	var said bytes.Buffer
	cmd.Stderr = &said
	err = cmd.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return err
	}
	var answer struct {
		Error struct{ Code string }
	}
	json.Unmarshal(bytes.TrimSpace(said.Bytes()), &answer)
	switch code := answer.Error.Code; {
	case strings.HasPrefix(code, "certificate_"), code == "login_mismatch":
		return refusal(code)
	case code == "revocation_unknown", code == "issuer_revoked":
		return refusal("certificate_untrusted")
	}
	return fmt.Errorf("%s: %w", strings.TrimSpace(said.String()), err)
}
