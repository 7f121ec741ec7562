// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"persten/internal/secret"
	"persten/internal/token"
)

// Caller is who asks. It is made once, at the edge of the process, from what the transport knows (never from page data),
// and is passed down unchanged.
type Caller struct {
	Channel string // one per page port or connection; content handles belong to it
	Origin  string // serialised web origin of the asking frame; empty for local callers
	Top     string // origin of the top-level page when it differs from Origin
	Via     Via
	User    string // operating-system user name
	PID     int    // peer process, 0 when unknown
	Program string // path of the peer process, empty when unknown
	Lang    string // language asked for by the caller, "ru" or "en"
}

// Owner is for whom limits count that hold over all connections: a site, or a program's one connection.
func (c Caller) Owner() string { return cmp.Or(c.Origin, c.Channel) }

// Local reports whether the caller is a program of the same user rather than a web page.
func (c Caller) Local() bool { return c.Origin == "" }

// Via is the way a request came in; it is written to the journal.
type Via string

// The ways in.
const (
	ViaNative    Via = "native"    // browser extension, native messaging
	ViaWebSocket Via = "websocket" // page, ws://127.0.0.1
	ViaSocket    Via = "socket"    // a command on the user socket
	ViaCommand   Via = "command"   // --standalone
)

// Kind selects the window a person sees; the kinds differ visibly.
type Kind string

// The kinds of question.
const (
	KindSign   Kind = "sign"
	KindOrigin Kind = "origin" // "Allow SITE?"
	KindHidden Kind = "hidden" // "Allow SITE to ask for signatures of what you cannot see?"
	KindLogin  Kind = "login"  // "Log in to SITE?"
	KindSelect Kind = "select" // "Which certificate?"
	KindTest   Kind = "test"   // a signature of TestText, to try a certificate
	KindPIN    Kind = "pin"    // nothing but a PIN or a password is asked for

	KindDecrypt Kind = "decrypt" // "Decrypt the document?"
	KindKey     Kind = "key"     // "Make a new key?"
)

// Site reports whether the question is about a site and not about a key.
func (k Kind) Site() bool { return k == KindOrigin || k == KindHidden }

// Signs reports whether a yes leads to a signature of documents, be it a test.
func (k Kind) Signs() bool { return k == KindSign || k == KindTest }

// Keyless reports whether no key is used after a yes: nobody is asked for a PIN.
func (k Kind) Keyless() bool { return k.Site() || k == KindSelect }

// Question is everything the person is asked to decide, and therefore everything an approval binds.
// It crosses to the prompt process as JSON, with Documents[i].Content as descriptors beside it.
type Question struct {
	ID          string       `json:"id"`
	Kind        Kind         `json:"kind"`
	Lang        string       `json:"lang"`
	Origin      string       `json:"origin"`
	Top         string       `json:"top,omitempty"`
	Via         Via          `json:"via"`
	User        string       `json:"-"` // operating-system user, for machine policy; the person knows
	PID         int          `json:"pid,omitempty"`
	Program     string       `json:"program,omitempty"`
	Note        string       `json:"note,omitempty"` // "the site says": one line, at most 200 characters, shown escaped and labelled
	Certificate *Certificate `json:"certificate,omitempty"`
	Token       token.Info   `json:"token"`
	Algorithm   string       `json:"algorithm,omitempty"`
	Profile     string       `json:"profile,omitempty"`
	Attached    bool         `json:"attached,omitempty"`
	XML         *XMLForm     `json:"xml,omitempty"`       // set for XML signatures
	CMS         *CMSForm     `json:"cms,omitempty"`       // set for CMS signatures
	Raw         bool         `json:"raw,omitempty"`       // the bare value, whatever it is for
	Batch       bool         `json:"batch,omitempty"`     // a signature of each document, by one PIN
	Documents   []Document   `json:"documents,omitempty"` // of a login one, which stands for the challenge and is not shown
	Signing     string       `json:"signing,omitempty"`   // of a login: whose certificate for documents goes along
	Choices     []Choice     `json:"choices,omitempty"`   // of KindSelect
	For         Kind         `json:"for,omitempty"`       // of KindSelect: what the certificate is wanted for, KindSign or KindLogin
	Absent      bool         `json:"absent,omitempty"`    // the token is not plugged in: after a yes it is waited for, and the PIN asked for then

	by string // who answers it, for the journal; see approvedBy
}

// Certificate is the card a person recognises a certificate by.
type Certificate struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"` // common name, or surname and given name
	Organization string    `json:"organization,omitempty"`
	Title        string    `json:"title,omitempty"`
	INN          string    `json:"inn,omitempty"`
	INNLE        string    `json:"innle,omitempty"` // of the organization
	SNILS        string    `json:"snils,omitempty"`
	OGRN         string    `json:"ogrn,omitempty"`
	OGRNIP       string    `json:"ogrnip,omitempty"`
	Issuer       string    `json:"issuer"`
	Serial       string    `json:"serial"`
	Thumbprint   string    `json:"thumbprint"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	SignUntil    time.Time `json:"signUntil,omitzero"`     // the last moment the key may sign, NotAfter or earlier
	Key          string    `json:"key"`                    // algo.PublicKey.Describe
	ParameterSet string    `json:"parameterSet,omitempty"` // name of the curve
	Class        string    `json:"class,omitempty"`        // of the owner's signature tool, such as KC1
}

// Choice is one certificate of a KindSelect, and where it lies. Those with a Refusal come last and cannot be chosen.
type Choice struct {
	Certificate Certificate `json:"certificate"`
	Token       token.Info  `json:"token"`
	Refusal     *Refusal    `json:"refusal,omitempty"`
	Last        bool        `json:"last,omitempty"`     // it was chosen last at this site
	Attorney    bool        `json:"attorney,omitempty"` // a natural person's, who acts for the organization by a power of attorney (MChD)
}

// Document is one thing to be signed. Content is a read-only descriptor of the sealed bytes whose digest is Digest. Of an XML
// document that gets an XML signature, Covered is what the signature will speak of: everything (Whole), everything but the
// signatures that are in it (Rest), or these elements.
type Document struct {
	Name    string   `json:"name"`
	MIME    string   `json:"mime,omitempty"`
	Size    int64    `json:"size"`
	Digest  string   `json:"digest"`    // lower hex
	Alg     string   `json:"digestAlg"` // algo.Digest
	Whole   bool     `json:"whole,omitempty"`
	Rest    bool     `json:"rest,omitempty"`
	Covered []Span   `json:"covered,omitempty"` // set for every XML signature, also with Whole
	Content *os.File `json:"-"`

	// Of a batch there may be too many for a descriptor each: Open gets one when the person wants to see the document. The
	// caller closes it.
	Open func(context.Context) (*os.File, error) `json:"-"`

	// System, if there is one, opens a copy in the system's own viewer; kind is what the document is (package ui).
	System func(ctx context.Context, kind string) error `json:"-"`

	Hidden bool `json:"hidden,omitempty"` // only the digest is known: nobody can be shown what it is of
	Opaque bool `json:"opaque,omitempty"` // of a bare value: see Content.Opaque
	Login  bool `json:"login,omitempty"`  // it looks like what a site has signed to let somebody in
}

// Decision is the person's answer. Viewed[i] tells whether the person could see what document i says, How[i] in which way; a
// prompt that shows no content has neither. Chosen is an index of Choices.
type Decision struct {
	Approved bool   `json:"approved"`
	Chosen   int    `json:"chosen,omitempty"`
	Viewed   []bool `json:"viewed,omitempty"`
	How      []How  `json:"how,omitempty"`
}

// Step is where the work stands; the prompt shows it while it waits.
type Step string

// The steps of one request.
const (
	StepWaiting Step = "waiting"   // for the person
	StepInsert  Step = "insert"    // for the token to be plugged in
	StepToken   Step = "token"     // for another user of the token
	StepSigning Step = "signing"   // the token is working
	StepKeypad  Step = "keypad"    // the reader waits for the PIN; pages see it as waiting
	StepTouch   Step = "touch"     // the token waits for a finger; pages see it as signing
	StepStamp   Step = "timestamp" // for the time-stamping authority
)

// Outcome is how the request ended; the prompt shows it in the same window. Code is empty when a signature was created,
// else a code of proto/errors.json with its Args.
type Outcome struct {
	Code   string            `json:"code,omitempty"`
	Args   map[string]string `json:"args,omitempty"`
	Signed []string          `json:"signed,omitempty"` // document names
	Owner  string            `json:"owner,omitempty"`
	Time   time.Time         `json:"time"`

	Batch *BatchOutcome `json:"batch,omitempty"` // of a batch, in place of Signed
}

// BatchOutcome counts the items of a batch.
type BatchOutcome struct {
	Signed    int `json:"signed"`
	Failed    int `json:"failed"`    // for reasons of their own
	NotSigned int `json:"notSigned"` // because the batch ended before
}

// Approver asks a person, or decides by policy in a person's place.
type Approver interface {
	// Ask opens a prompt for q. The prompt lives until Close, or until ctx ends.
	Ask(ctx context.Context, q Question) (Prompt, error)
}

// Prompt is one open question. Its methods are called from one goroutine at a time.
type Prompt interface {
	// Decide waits for the answer. A cancelled ctx closes the prompt and returns ctx.Err().
	Decide(ctx context.Context) (Decision, error)
	// PIN asks for a PIN in the same window and returns the handle to read it from. ErrRejected means the person gave up.
	PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error)
	Progress(Step)
	// Close shows the outcome and returns at once; the window stays until the person closes it.
	Close(Outcome) error
}

// ErrRejected is returned by prompts when the person declines.
var ErrRejected = errors.New("rejected by the user")

// ErrPromptLost is returned by prompts whose window was ended from outside.
var ErrPromptLost = errors.New("the prompt was ended from outside")

// ErrNoPrompt is returned by approvers that cannot reach a person: no display, no terminal.
var ErrNoPrompt = errors.New("no way to ask the user")
