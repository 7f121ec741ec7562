// SPDX-License-Identifier: MIT

package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	cookie     = "session"
	answerTime = 5 * time.Minute
	maxToken   = 64 << 10
	maxWaiting = 10_000 // sessions with a challenge
)

// portal lets people in who prove to have the key of a certificate it trusts.
type portal struct {
	origin  string // its own; never taken from a request
	roots   *x509.CertPool
	persten []string // program and options
	now     func() time.Time

	mu      sync.Mutex
	waiting map[string]challenge // by session
}

// challenge is what one browser session was asked to answer.
type challenge struct {
	nonce string
	until time.Time
}

func newPortal(origin string, roots *x509.CertPool, persten []string) *portal {
	return &portal{origin: origin, roots: roots, persten: persten, now: time.Now, waiting: map[string]challenge{}}
}

func (p *portal) register(mux *http.ServeMux) {
	mux.HandleFunc("POST /login/challenge", p.challenge)
	mux.HandleFunc("POST /login", p.login)
}

// challenge starts a session and gives it a fresh nonce.
func (p *portal) challenge(w http.ResponseWriter, r *http.Request) {
	if !p.own(w, r) {
		return
	}
	session, nonce := random(), random()
	if !p.wait(session, nonce) {
		http.Error(w, "too many logins at once", http.StatusServiceUnavailable)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(p.origin, "https:"),
	})
	reply(w, http.StatusOK, map[string]string{"nonce": nonce})
}

// login judges the answer. Why somebody is not let in is for the log; a page gets one word.
func (p *portal) login(w http.ResponseWriter, r *http.Request) {
	if !p.own(w, r) {
		return
	}
	var t token
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxToken)).Decode(&t); err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"error": "token_malformed"})
		return
	}
	nonce, err := p.take(r)
	if err == nil {
		err = p.check(r.Context(), &t, nonce)
	}
	if err != nil {
		var refused refusal
		if !errors.As(err, &refused) {
			refused = "cannot_check"
		}
		log.Print("not let in: ", err)
		reply(w, http.StatusForbidden, map[string]string{"error": string(refused)})
		return
	}
	// Here a portal looks up its user by the certificate, and starts a session with a new cookie.
	c, err := x509.ParseCertificate(t.Certificate)
	if err != nil {
		reply(w, http.StatusForbidden, map[string]string{"error": "certificate_malformed"})
		return
	}
	reply(w, http.StatusOK, map[string]string{"name": c.Subject.CommonName})
}

// own refuses requests that pages of other sites make browsers send.
func (p *portal) own(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Origin") == p.origin {
		return true
	}
	http.Error(w, "another site's request", http.StatusForbidden)
	return false
}

func (p *portal) wait(session, nonce string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, c := range p.waiting {
		if p.now().After(c.until) {
			delete(p.waiting, s)
		}
	}
	if len(p.waiting) >= maxWaiting {
		return false
	}
	p.waiting[session] = challenge{nonce, p.now().Add(answerTime)}
	return true
}

// take removes the nonce of a session, so that an answer counts once.
func (p *portal) take(r *http.Request) (string, error) {
	session, err := r.Cookie(cookie)
	if err != nil {
		return "", refusal("nonce_unknown")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.waiting[session.Value]
	delete(p.waiting, session.Value)
	if !ok || p.now().After(c.until) {
		return "", refusal("nonce_unknown")
	}
	return c.nonce, nil
}

// random is 32 random octets in base64.
func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
