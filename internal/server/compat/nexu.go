// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	_ "crypto/sha256" // the digests NexU's pages name
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"persten/internal/ipc"
	"persten/internal/server"
	"persten/proto"
)

// NexUAddress is where pages look for NexU.
const NexUAddress = "127.0.0.1:9795"

// nexuVersion is the version whose interface this is; pages compare its beginning.
const nexuVersion = "1.22"

// MaxNexU is the longest request: what is signed there are the attributes of a signature, not the document.
const MaxNexU = 1 << 20

// The paths of that interface.
const (
	nexuInfo         = "/nexu-info"
	nexuCertificates = "/rest/certificates"
	nexuSign         = "/rest/sign"
)

// NexUMethods are the paths that are answered, and how they are asked.
func NexUMethods() map[string]string {
	return map[string]string{nexuInfo: http.MethodGet, nexuCertificates: http.MethodPost, nexuSign: http.MethodPost}
}

// NexU answers pages written for NexU, EU DSS portals among them: information, one certificate, one signature value. What is
// to be signed comes as bytes nobody can read, so the site needs the right for ready digests.
type NexU struct {
	api    *server.Server
	lang   string
	secret []byte // of the names of tokens
}

// NewNexU makes the interface over api; texts are in lang.
func NewNexU(api *server.Server, lang string) *NexU {
	n := &NexU{api: api, lang: lang, secret: make([]byte, 32)}
	_, _ = rand.Read(n.secret) // never fails
	return n
}

// nexuRequest holds the members of all requests. Others are not looked at.
type nexuRequest struct {
	UserLocale string `json:"userLocale"`
	Filter     *struct {
		Purpose        string `json:"purpose"`
		NonRepudiation bool   `json:"nonRepudiationBit"`
		Thumbprint     []byte `json:"certificateSHA1"`
	} `json:"certificateFilter"`
	Token *struct {
		ID string `json:"id"`
	} `json:"tokenId"`
	Key    string `json:"keyId"`
	Signed *struct {
		Bytes []byte `json:"bytes"`
	} `json:"toBeSigned"`
	Digest string `json:"digestAlgorithm"`
}

// nexuAnswer is the envelope of all answers but the information.
type nexuAnswer struct {
	Success  bool   `json:"success"`
	Response any    `json:"response,omitempty"`
	Error    string `json:"error,omitempty"`
	Message  string `json:"errorMessage,omitempty"`
}

type nexuToken struct {
	ID string `json:"id"`
}

type nexuCertificate struct {
	Token     nexuToken `json:"tokenId"`
	Key       string    `json:"keyId"`
	DER       []byte    `json:"certificate"`
	Chain     [][]byte  `json:"certificateChain"`
	Kind      string    `json:"encryptionAlgorithm"`
	Digests   []string  `json:"supportedDigests"`
	Preferred string    `json:"preferredDigest"`
}

type nexuSignature struct {
	Value     string   `json:"signatureValue"`
	Algorithm string   `json:"signatureAlgorithm"`
	DER       []byte   `json:"certificate"`
	Chain     [][]byte `json:"certificateChain"`
}

// Answer answers one request of a page; package ipc has let it in.
func (n *NexU) Answer(ctx context.Context, r ipc.PageRequest) (out ipc.PageAnswer) {
	defer func() {
		if bad := recover(); bad != nil {
			slog.Error("foreign protocol panicked", "stack", string(debug.Stack()))
			out = ipc.PageAnswer{Status: http.StatusInternalServerError, JSON: []byte(`{"success":false,"error":"exception"}`)}
		}
	}()
	if r.Path == nexuInfo {
		return ipc.PageAnswer{Status: http.StatusOK, JSON: encode(map[string]string{"version": nexuVersion})}
	}
	p := open(ctx, n.api, r.Peer, n.lang)
	defer p.Close()
	response, err := n.carryOut(ctx, p, r)
	if err == nil {
		return ipc.PageAnswer{Status: http.StatusOK, JSON: encode(nexuAnswer{Success: true, Response: response})}
	}
	a := nexuAnswer{Error: "exception", Message: p.sentences(err)}
	if declined(err) {
		a.Error = "user.cancel"
	}
	return ipc.PageAnswer{Status: http.StatusInternalServerError, JSON: encode(a)} // as there: every failure has this status
}

func (n *NexU) carryOut(ctx context.Context, p *page, r ipc.PageRequest) (any, error) {
	q, err := parseNexU(r.Body)
	if err != nil {
		return nil, err
	}
	if q.UserLocale != "" {
		if err := p.speak(ctx, language(q.UserLocale)); err != nil {
			return nil, err
		}
	}
	if r.Path == nexuCertificates {
		return n.certificate(ctx, p, q)
	}
	return n.sign(ctx, p, q)
}

// parseNexU reads a request by the rules of our own wire. An empty one asks for nothing in particular.
func parseNexU(body []byte) (q nexuRequest, err error) {
	if len(body) == 0 {
		return q, nil
	}
	if err := ipc.CheckJSON(body, maxDepth); err != nil {
		return q, proto.E(proto.CodeRequestMalformed, err, "detail", err.Error())
	}
	if field, found := proto.SecretMember(body); found {
		return q, proto.E(proto.CodeRequestSecret, nil, "field", field)
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nexuRequest{}, proto.E(proto.CodeRequestMalformed, err, "detail", "not a request")
	}
	return q, nil
}

func (n *NexU) certificate(ctx context.Context, p *page, q nexuRequest) (any, error) {
	w := wanted{rsa: true}
	if f := q.Filter; f != nil {
		w.nonRepudiation, w.thumbprint = f.NonRepudiation, hexOf(f.Thumbprint)
	}
	c, err := p.choose(ctx, w)
	if err != nil {
		return nil, err
	}
	kind, digest := algorithms(c.Algorithm)
	return nexuCertificate{
		Token: nexuToken{n.token(p, c.ID)}, Key: c.ID, DER: c.DER, Chain: [][]byte{c.DER},
		Kind: kind, Digests: nexuDigests(kind, digest), Preferred: digest,
	}, nil
}

// token is our name for where a key lies, of use to the page that got it and while this agent runs.
func (n *NexU) token(p *page, id string) string {
	m := hmac.New(crypto.SHA256.New, n.secret)
	_, _ = m.Write([]byte(p.origin + "\n" + id))
	return hexOf(m.Sum(nil)[:16])
}

// digests are NexU's names of digests and Go's.
var digests = map[string]crypto.Hash{"SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}

// nexuDigests are the digests a key signs: an RSA key any, another one its own.
func nexuDigests(kind, own string) []string {
	if kind == "RSA" {
		return []string{"SHA256", "SHA384", "SHA512"}
	}
	return []string{own}
}

// algorithms splits our name of a signature algorithm, such as ecdsa-sha384, into NexU's names.
func algorithms(id string) (kind, digest string) {
	kind, digest, _ = strings.Cut(strings.ToUpper(id), "-")
	return kind, digest
}

func (n *NexU) sign(ctx context.Context, p *page, q nexuRequest) (any, error) {
	hash, known := digests[q.Digest]
	switch {
	case !known:
		return nil, invalid("digestAlgorithm", "must be SHA256, SHA384 or SHA512")
	case q.Signed == nil || len(q.Signed.Bytes) == 0:
		return nil, invalid("toBeSigned", "is required")
	case q.Token == nil || !hmac.Equal([]byte(q.Token.ID), []byte(n.token(p, q.Key))):
		return nil, invalid("tokenId", "is not of this certificate")
	}
	c, err := p.choose(ctx, wanted{rsa: true, id: q.Key})
	if err != nil {
		return nil, err
	}
	kind, _ := algorithms(c.Algorithm)
	h := hash.New()
	_, _ = h.Write(q.Signed.Bytes)
	made, err := p.value(ctx, proto.SignRawParams{
		Certificate: c.ID, Digest: hexOf(h.Sum(nil)), Algorithm: strings.ToLower(kind + "-" + q.Digest),
	})
	if err != nil {
		return nil, err
	}
	return nexuSignature{
		Value: base64.StdEncoding.EncodeToString(made.Signature), Algorithm: kind + "_" + q.Digest, DER: c.DER, Chain: [][]byte{c.DER},
	}, nil
}

// value has a ready digest signed.
func (p *page) value(ctx context.Context, params proto.SignRawParams) (made proto.SignRawResult, err error) {
	err = p.patiently(ctx, func() error { return p.link.Call(ctx, proto.MethodSignRaw, params, &made) })
	return made, err
}
