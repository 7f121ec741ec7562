// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// sign signs text with the first demo key.
func (b *bench) sign(t *testing.T, r signing.CMSRequest) ([]byte, error) {
	t.Helper()
	r.Certificate = b.keys(t)[0].ID()
	var out bytes.Buffer
	_, err := b.SignCMS(context.Background(), page, r, &out)
	return out.Bytes(), err
}

// idle checks that no place at the desk is taken.
func (b *bench) idle(t *testing.T) {
	t.Helper()
	if n := b.Prompts(); n != 0 {
		t.Errorf("%d prompts left open", n)
	}
}

// The prompt's descriptor is read-only, but a process of the same user can open the same file for writing.
func TestContentChangedAfterApproval(t *testing.T) {
	for _, attached := range []bool{false, true} {
		b := newBench(t, &person{pins: []string{keyfile.DemoPIN}, decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
			f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", q.Documents[0].Content.Fd()), os.O_RDWR, 0)
			if err != nil {
				return signing.Decision{}, err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("9"), 4)
			return signing.Decision{Approved: true}, err
		}})
		out, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "pay 1 rouble"), Attached: attached})
		if !errors.Is(err, proto.CodeContentChanged) || len(out) != 0 {
			t.Errorf("attached=%v: %v, %d bytes", attached, err, len(out))
		}
		if r := b.records(t); len(r) != 2 || r[1] != "end sign content_changed" {
			t.Errorf("journal: %q", r)
		}
		b.idle(t)
	}
}

func TestDescriptorIsReadOnly(t *testing.T) {
	b := newBench(t, &person{decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
		if _, err := q.Documents[0].Content.Write([]byte("x")); err == nil {
			t.Error("the prompt's descriptor can be written to")
		}
		return signing.Decision{}, nil
	}})
	b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
}

// slow is an inventory whose keys take a while between the PIN and the first use.
type slow struct {
	token.Inventory
	wait time.Duration
}

type slowKey struct {
	token.Key
	wait time.Duration
}

func (s slow) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := s.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = slowKey{k, s.wait}
	}
	return keys, err
}

func (k slowKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s, err := k.Key.Open(ctx, pin)
	time.Sleep(k.wait)
	return s, err
}

func TestApprovalGrowsOld(t *testing.T) {
	for wait, want := range map[time.Duration]error{119 * time.Second: nil, 121 * time.Second: proto.CodeUserTimeout} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
			e := b.over(t, slow{b.demo, wait})
			out, err := e.sign(t, signing.CMSRequest{Content: e.content(t, "x")})
			if !errors.Is(err, want) || (len(out) > 0) != (want == nil) {
				t.Errorf("after %v: %v, %d bytes", wait, err, len(out))
			}
			e.idle(t)
		})
	}
}

// over is b with other keys.
func (b *bench) over(t *testing.T, keys token.Inventory) *bench {
	t.Helper()
	c := *b
	c.Engine = signing.New(keys, b.person, reopened(t, b), signing.Options{Store: b.Store()})
	return &c
}

// A person who walks away holds a place for so long and no longer, at the question and at the PIN.
func TestPersonWalksAway(t *testing.T) {
	away := func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
		<-ctx.Done()
		return signing.Decision{}, ctx.Err()
	}
	for name, p := range map[string]*person{
		"decide": {decide: away},
		"late": {decide: func(ctx context.Context, q signing.Question) (signing.Decision, error) {
			away(ctx, q)
			return yes(ctx, q)
		}},
		"pin": {decide: yes},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, p)
			if name == "pin" {
				b = b.asking(t, awayAtPIN{p})
			}
			began := time.Now()
			out, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
			if !errors.Is(err, proto.CodeUserTimeout) || len(out) > 0 || time.Since(began) != 30*time.Minute {
				t.Errorf("%s: %v after %v, %d bytes", name, err, time.Since(began), len(out))
			}
			b.idle(t)
		})
	}
}

type awayAtPIN struct{ *person }

func (a awayAtPIN) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	p, err := a.person.Ask(ctx, q)
	return awayPrompt{p}, err
}

type awayPrompt struct{ signing.Prompt }

func (awayPrompt) PIN(ctx context.Context, _ token.PINRequest) (secret.PIN, error) {
	<-ctx.Done()
	return secret.PIN{}, ctx.Err()
}

// asking is b with another approver.
func (b *bench) asking(t *testing.T, ask signing.Approver) *bench {
	t.Helper()
	c := *b
	c.Engine = signing.New(b.demo, ask, reopened(t, b), signing.Options{Store: b.Store()})
	return &c
}

// reopened opens b's journal once more.
func reopened(t *testing.T, b *bench) *journal.Journal {
	t.Helper()
	j, err := journal.Open(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// approver is a function that opens a prompt.
type approver func() (signing.Prompt, error)

func (f approver) Ask(context.Context, signing.Question) (signing.Prompt, error) { return f() }

func TestNoPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want proto.Code
	}{
		"none":    {signing.ErrNoPrompt, proto.CodePromptUnavailable},
		"other":   {io.ErrUnexpectedEOF, proto.CodePromptUnavailable},
		"refusal": {proto.E(proto.CodeUserRejected, signing.ErrNoPrompt), proto.CodeUserRejected},
	} {
		b := newBench(t, &person{}).asking(t, approver(func() (signing.Prompt, error) { return nil, c.err }))
		out, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
		if !errors.Is(err, c.want) || len(out) > 0 {
			t.Errorf("%s: %v", name, err)
		}
		b.idle(t)
	}
}

func TestPanicAtTheDeskLosesNoPlace(t *testing.T) {
	b := newBench(t, &person{}).asking(t, approver(func() (signing.Prompt, error) { panic("broken approver") }))
	for range 5 { // more than there are places
		func() {
			defer func() { recover() }()
			b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
		}()
	}
	b.idle(t)
}

func TestNameOfTheDocument(t *testing.T) {
	for _, c := range []struct{ lang, given, asked, want string }{
		{"en", "letter.txt", "", "letter.txt"},
		{"en", "letter.txt", "contract.pdf", "contract.pdf"},
		{"en", "", "", "document"},
		{"ru", "", "", "документ"},
		{"ru", "", "договор.pdf", "договор.pdf"},
	} {
		p := &person{decide: yes, pins: []string{keyfile.DemoPIN}}
		b := newBench(t, p)
		who := page
		who.Lang = c.lang
		_, content, err := b.Store().Create(page.Channel, c.given, "text/plain", func(w io.Writer) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		r := signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: content, Name: c.asked, MIME: "application/x-test"}
		if _, err := b.SignCMS(context.Background(), who, r, io.Discard); err != nil {
			t.Fatal(err)
		}
		d := p.asked[0].Documents[0]
		if d.Name != c.want || d.MIME != "application/x-test" || p.outcomes[0].Signed[0] != c.want {
			t.Errorf("%+v: asked about %q (%s), told %q", c, d.Name, d.MIME, p.outcomes[0].Signed)
		}
	}
}

// certified is a key of a certificate made to measure; it must never be opened.
type certified struct {
	t *testing.T
	c *cert.Certificate
}

func (k certified) ID() string                     { return k.c.ID() }
func (k certified) Certificate() *cert.Certificate { return k.c }
func (k certified) Token() token.Info              { return token.Info{} }
func (k certified) Algorithms() []algo.ID          { return k.c.Key.Algorithms() }
func (k certified) Open(context.Context, token.PINFunc) (token.Session, error) {
	k.t.Error("a key that may not sign was opened")
	return nil, token.ErrAbsent
}
func (k certified) Keys(context.Context) ([]token.Key, error)    { return []token.Key{k}, nil }
func (k certified) Tokens(context.Context) ([]token.Info, error) { return nil, nil }
func (k certified) Events(context.Context) <-chan token.Event    { return nil }

// keyFrom is a private key usage period with only its first bound.
func keyFrom(t *testing.T, from time.Time) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(struct{ From asn1.RawValue }{asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 0, Bytes: []byte(from.UTC().Format("20060102150405Z")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: der}
}

func TestCertificatesThatMayNotSign(t *testing.T) {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	clientAuth := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}}
	for name, c := range map[string]struct {
		t    cert.Template
		want proto.Code
	}{
		"expired":     {cert.Template{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-time.Hour)}, proto.CodeCertificateExpired},
		"not yet":     {cert.Template{NotBefore: now.Add(time.Hour), NotAfter: now.Add(48 * time.Hour)}, proto.CodeCertificateNotYetValid},
		"logging in":  {cert.Template{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: clientAuth}, proto.CodeCertificateNotForSigning},
		"encryption":  {cert.Template{KeyUsage: x509.KeyUsageKeyEncipherment}, proto.CodeCertificateNotForSigning},
		"key too old": {cert.Template{PrivateKeyUsageTo: now.Add(-time.Minute)}, proto.CodeCertificateKeyExpired},
		"key too new": {cert.Template{Extensions: []pkix.Extension{keyFrom(t, now.Add(time.Hour))}}, proto.CodeCertificateKeyNotYetValid},
	} {
		c.t.Subject, c.t.Key = cert.Person{CommonName: name}, key.Public()
		made, err := cert.Build(c.t, nil, key)
		if err != nil {
			t.Fatal(name, err)
		}
		b := newBench(t, &person{decide: yes}).over(t, certified{t, made})
		out, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
		if !errors.Is(err, c.want) || len(out) > 0 || len(b.person.asked) > 0 {
			t.Errorf("%s: %v, %d questions", name, err, len(b.person.asked))
		}
		listed := signing.ListedAll(b.keys(t), true, now)
		if listed[0].Usable || listed[0].Reason != c.want || len(signing.ListedAll(b.keys(t), false, now)) != 0 {
			t.Errorf("%s is listed as %v %q", name, listed[0].Usable, listed[0].Reason)
		}
	}
}

// Many sites at once, each request answered by what its own document says: no signature over anything denied, and every
// signature over its own document alone.
func TestMixedAnswersAtOnce(t *testing.T) {
	sites, each := int64(20), int64(9)
	if os.Getenv("PERSTEN_LONG") != "" {
		each = 36 // together as many as one reading of the journal shows
	}
	p := &person{decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
		return signing.Decision{Approved: strings.HasPrefix(q.Documents[0].Name, "yes")}, nil
	}}
	for range sites * each {
		p.pins = append(p.pins, keyfile.DemoPIN)
	}
	b := newBench(t, p)
	id := b.keys(t)[0].ID()
	var signed, denied atomic.Int64
	var wg sync.WaitGroup
	for site := range sites {
		wg.Go(func() {
			who := page
			who.Channel, who.Origin = fmt.Sprint("ch", site), fmt.Sprintf("https://s%d.example", site)
			for n := range each {
				answer := "no"
				if (site+n)%3 == 0 { // three refusals in a row would be another matter
					answer = "yes"
				}
				text := fmt.Sprintf("%s %d %d", answer, site, n)
				h, c, err := b.Store().Create(who.Channel, text, "", func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
				if err != nil {
					t.Error(err)
					return
				}
				var out bytes.Buffer
				_, err = b.SignCMS(context.Background(), who, signing.CMSRequest{Certificate: id, Content: c}, &out)
				switch {
				case answer == "no" && errors.Is(err, proto.CodeUserRejected) && out.Len() == 0:
					denied.Add(1)
				case answer == "yes" && err == nil:
					report, err := b.VerifyCMS(context.Background(), &out, c.Reader())
					if err != nil || !report.Valid() {
						t.Errorf("%s: signature over something else: %v", text, err)
					}
					signed.Add(1)
				default:
					t.Errorf("%s: %v, %d bytes", text, err, out.Len())
				}
				b.Store().Drop(who.Channel, h)
			}
		})
	}
	wg.Wait()
	b.idle(t)
	if signed.Load() != sites*each/3 || denied.Load() != sites*each*2/3 {
		t.Errorf("%d signed, %d denied", signed.Load(), denied.Load())
	}
	counts := map[string]int64{}
	for _, r := range b.records(t) {
		counts[r]++
	}
	if counts["begin sign "] != signed.Load() || counts["end sign ok"] != signed.Load() || counts["note refused user_rejected"] != denied.Load() {
		t.Errorf("journal: %v", counts)
	}
}

func TestGivingUpAtTheReader(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	b = b.over(t, refusing{b.demo})
	_, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
	if !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
}

// refusing is an inventory at whose reader the person gives up.
type refusing struct{ token.Inventory }

type refusingKey struct{ token.Key }

func (r refusing) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := r.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = refusingKey{k}
	}
	return keys, err
}

func (refusingKey) Open(context.Context, token.PINFunc) (token.Session, error) {
	return nil, token.ErrUserCancelled
}

func TestVerifySaysWhatIsMissing(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	out, err := b.sign(t, signing.CMSRequest{Content: b.content(t, "x")})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx       context.Context
		signature []byte
		want      error
	}{
		{context.Background(), out, proto.CodeContentRequired},
		{context.Background(), []byte("not a signature"), proto.CodeFormatCMS},
		{gone, out, context.Canceled},
	} {
		if _, err := b.VerifyCMS(c.ctx, bytes.NewReader(c.signature), nil); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}
