// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/proto"
)

// The bounds of a nonce, and the octets it must stand for: those of Web eID.
const (
	minNonce       = 44
	maxNonce       = 128
	minNonceOctets = 32
)

// The forms of a login token: without and with a certificate for signing documents.
const (
	formatLogin        = "web-eid:1.0"
	formatLoginSigning = "web-eid:1.1"
)

// LoginRequest asks for the answer to a login challenge. The origin it is bound to is the Caller's.
type LoginRequest struct {
	Certificate string // id (SHA-256) or SHA-1 thumbprint, hex; "": the one that fits, or the person's choice
	Nonce       string
	Signing     string // a certificate for documents that goes along; "": none
	Note        string // "the site says"
}

// Login asks the person whether to log in to the caller's site and returns the answer to its challenge, checked.
func (e *Engine) Login(ctx context.Context, who Caller, r LoginRequest) (*proto.LoginToken, error) {
	if err := mayLogIn(who); err != nil {
		return nil, err
	}
	if err := checkNonce(r.Nonce); err != nil {
		return nil, err
	}
	extra, err := e.signingCertificate(ctx, r.Signing)
	if err != nil {
		return nil, err
	}
	key, err := e.loginKey(ctx, who, r)
	if err != nil {
		return nil, err
	}
	if bad := e.permitted(key, time.Now(), KindLogin); bad != nil {
		return nil, bad
	}
	alg := loginAlgorithm(key)
	if alg == "" {
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", key.Certificate().Key.Describe())
	}
	out := newToken(key, extra, e.version)
	_, err = e.sign(ctx, who, order{
		method: proto.MethodAuthRespond, kind: KindLogin, certificate: key.ID(), algorithm: alg, name: who.Origin,
		bound:    func(d algo.Digest) []byte { return d.Sum(challenge(d, who.Origin, r.Nonce)) },
		describe: func(q *Question) { q.Note, q.Profile, q.Signing = r.Note, out.Format, signingName(extra) },
		encode: func(ctx context.Context, s cms.Signer, _ time.Time, _ []byte) error {
			return answer(ctx, s, out, who.Origin, r.Nonce)
		},
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newToken is a token without its signature.
func newToken(key token.Key, extra *proto.SigningCertificate, version string) *proto.LoginToken {
	out := &proto.LoginToken{UnverifiedCertificate: key.Certificate().Raw, Format: formatLogin, AppVersion: "persten:" + version}
	if extra != nil {
		out.Format = formatLoginSigning
		out.UnverifiedSigningCertificates = []proto.SigningCertificate{*extra}
	}
	return out
}

// answer signs the challenge and checks the whole token as a server would.
func answer(ctx context.Context, s cms.Signer, out *proto.LoginToken, origin, nonce string) error {
	a, _ := algo.Lookup(s.Algorithm())
	message := challenge(a.Digest, origin, nonce)
	value, err := s.Sign(ctx, algo.Input{Digest: a.Digest.Sum(message), Message: message})
	if err != nil {
		return err
	}
	key := s.Certificate().Key
	if out.Signature, err = algo.ToXML(key, a.ID, value); err != nil {
		return fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	out.Algorithm = algo.JWS(key, a.ID)
	if _, err := CheckLogin(out, origin, nonce); err != nil {
		return fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	return nil
}

// challenge is what gets signed: the hashes of origin and nonce one after the other.
func challenge(d algo.Digest, origin, nonce string) []byte {
	return append(d.Sum([]byte(origin)), d.Sum([]byte(nonce))...)
}

// CheckLogin checks that token answers nonce for origin by the key of its certificate, and returns the certificate. Who the
// certificate belongs to, whether it is good and whether the nonce was seen before are for the caller to see.
func CheckLogin(token *proto.LoginToken, origin, nonce string) (*cert.Certificate, error) {
	if err := token.Validate(); err != nil {
		return nil, err
	}
	if (token.Format == formatLogin) != (len(token.UnverifiedSigningCertificates) == 0) {
		return nil, invalidLogin("format", "does not fit unverifiedSigningCertificates")
	}
	if err := checkNonce(nonce); err != nil {
		return nil, err
	}
	c, err := cert.Parse(token.UnverifiedCertificate)
	if err != nil {
		return nil, proto.E(proto.CodeFormatCertificate, err, "detail", err.Error())
	}
	a, ok := algo.ByJWS(c.Key, token.Algorithm)
	if !ok {
		return nil, invalidLogin("algorithm", "is not one of the certificate's key")
	}
	value, err := algo.FromXML(c.Key, a.ID, token.Signature)
	if err == nil {
		message := challenge(a.Digest, origin, nonce)
		err = c.Key.Verify(a.ID, algo.Input{Digest: a.Digest.Sum(message), Message: message}, value)
	}
	if err != nil {
		return nil, proto.E(proto.CodeLoginMismatch, err)
	}
	return c, nil
}

func invalidLogin(field, detail string) error {
	return proto.E(proto.CodeRequestInvalid, nil, "field", field, "detail", detail)
}

// checkNonce refuses what cannot be a challenge with enough randomness.
func checkNonce(nonce string) error {
	octets, err := base64.StdEncoding.DecodeString(nonce)
	if err != nil {
		octets, err = base64.RawStdEncoding.DecodeString(nonce)
	}
	if err != nil || len(nonce) < minNonce || len(nonce) > maxNonce || len(octets) < minNonceOctets {
		return invalidLogin("nonce", "must be base64 of at least 32 octets, 44 to 128 characters")
	}
	return nil
}

// mayLogIn refuses callers that a login could not be bound to, and sites that anybody on the network can pose as.
func mayLogIn(who Caller) error {
	u, err := url.Parse(who.Origin)
	if who.Local() || err != nil || u.Host == "" {
		return proto.E(proto.CodeOriginInvalid, err, "origin", who.Origin, "detail", "a login is bound to a site")
	}
	if u.Scheme != "https" && !Loopback(u.Hostname()) {
		return proto.E(proto.CodeContextInsecure, nil)
	}
	return nil
}

// Loopback reports whether a host of an origin is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// loginKey is the key that is named, the only one that fits, or the one the person chooses.
func (e *Engine) loginKey(ctx context.Context, who Caller, r LoginRequest) (token.Key, error) {
	if r.Certificate != "" {
		return e.wanted(ctx, r.Certificate)
	}
	return e.Select(ctx, who, SelectRequest{Purpose: KindLogin, Note: r.Note})
}

// LoginUsable tells why a key cannot answer a login challenge now, or nil.
func LoginUsable(k token.Key, now time.Time) *proto.Error {
	return usable(k, now, cert.Usage.Login, proto.CodeCertificateNotForLogin)
}

// loginAlgorithm is the first one of the key that has a name in login tokens.
func loginAlgorithm(k token.Key) algo.ID {
	for _, id := range k.Algorithms() {
		if a, ok := algo.Lookup(id); ok && !a.Legacy && algo.JWS(k.Certificate().Key, id) != "" {
			return id
		}
	}
	return ""
}

// signingCertificate describes the certificate that goes along in a token.
func (e *Engine) signingCertificate(ctx context.Context, id string) (*proto.SigningCertificate, error) {
	if id == "" {
		return nil, nil
	}
	k, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if bad := e.permitted(k, time.Now(), KindSign); bad != nil {
		return nil, bad
	}
	out := &proto.SigningCertificate{Certificate: k.Certificate().Raw}
	for _, id := range k.Algorithms() {
		a, _ := algo.Lookup(id)
		if crypto, hash, padding := a.WebEid(); crypto != "" {
			out.SupportedSignatureAlgorithms = append(out.SupportedSignatureAlgorithms,
				proto.SignatureAlgorithm{CryptoAlgorithm: crypto, HashFunction: hash, PaddingScheme: padding})
		}
	}
	return out, nil
}

// signingName is whose certificate goes along, for the question.
func signingName(s *proto.SigningCertificate) string {
	if s == nil {
		return ""
	}
	c, err := cert.Parse(s.Certificate)
	if err != nil {
		return ""
	}
	return cmp.Or(c.Subject().Name(), c.Serial())
}
