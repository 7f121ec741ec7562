// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/proto"
)

// several is an inventory of certificates.
type several []token.Key

func (s several) Keys(context.Context) ([]token.Key, error)    { return s, nil }
func (s several) Tokens(context.Context) ([]token.Info, error) { return nil, nil }
func (s several) Events(context.Context) <-chan token.Event    { return nil }

// The owners of the tests: a head, a natural person and a sole trader.
var (
	head   = cert.Person{CommonName: "ООО «Пример»", Organization: "ООО «Пример»", Surname: "Иванова", GivenName: "Мария Петровна", INN: "500100732259", INNLE: "7707083893", OGRN: "1027700132195", SNILS: "11223344595"}
	clerk  = cert.Person{CommonName: "Ёлкин Пётр", Surname: "Ёлкин", GivenName: "Пётр", INN: "772201234500", SNILS: "15847362910"}
	trader = cert.Person{CommonName: "ИП Петров", Surname: "Петров", GivenName: "Иван", INN: "770000000001", OGRNIP: "304500116000157"}
)

// certificates makes a certificate for each template, all by one authority.
func certificates(t *testing.T, ts ...cert.Template) (several, *cert.Certificate) {
	t.Helper()
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Wipe()
	ca, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Удостоверяющий центр Пример", Organization: "Пример УЦ"}, Key: key.Public(), CA: true}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	var list several
	for _, template := range ts {
		template.Key = key.Public()
		c, err := cert.Build(template, ca, key)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, certified{t, c})
	}
	return list, ca
}

// selecting is an engine over keys, with people and a journal.
func selecting(t *testing.T, p *person, keys token.Inventory, o signing.Options) *signing.Engine {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return signing.New(keys, p, j, o)
}

// Every rule of a filter refuses what breaks it, and is met by what does not.
func TestFilter(t *testing.T) {
	mail := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	keys, ca := certificates(t, cert.Template{Subject: head, ExtKeyUsage: []asn1.ObjectIdentifier{mail}}, cert.Template{Subject: clerk}, cert.Template{Subject: trader})
	trust := func() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{ca}} }
	const ok = ""
	for i, c := range []struct {
		filter proto.CertificateFilter
		want   [3]string // of head, clerk and trader
	}{
		{proto.CertificateFilter{}, [3]string{ok, ok, ok}},
		{proto.CertificateFilter{Holders: []proto.Holder{proto.HolderRepresentative}}, [3]string{ok, signing.RuleHolder, signing.RuleHolder}},
		{proto.CertificateFilter{Holders: []proto.Holder{proto.HolderPerson, proto.HolderEntrepreneur}}, [3]string{signing.RuleHolder, ok, ok}},
		{proto.CertificateFilter{INN: head.INN}, [3]string{ok, signing.RuleINN, signing.RuleINN}},
		{proto.CertificateFilter{INNLE: head.INNLE}, [3]string{ok, signing.RuleINNLE, signing.RuleINNLE}},
		{proto.CertificateFilter{INNLE: head.INNLE, Holders: []proto.Holder{proto.HolderRepresentative, proto.HolderPerson}}, [3]string{ok, ok, signing.RuleHolder}},
		{proto.CertificateFilter{INN: head.INN, INNLE: head.INNLE, Holders: []proto.Holder{proto.HolderPerson}}, [3]string{signing.RuleHolder, signing.RuleINN, signing.RuleHolder}},
		{proto.CertificateFilter{OGRN: head.OGRN}, [3]string{ok, signing.RuleOGRN, signing.RuleOGRN}},
		{proto.CertificateFilter{OGRN: trader.OGRNIP}, [3]string{signing.RuleOGRN, signing.RuleOGRN, ok}},
		{proto.CertificateFilter{SNILS: clerk.SNILS}, [3]string{signing.RuleSNILS, ok, signing.RuleSNILS}},
		{proto.CertificateFilter{Issuer: "ЦЕНТР пример"}, [3]string{ok, ok, ok}},
		{proto.CertificateFilter{Issuer: "другой"}, [3]string{signing.RuleIssuer, signing.RuleIssuer, signing.RuleIssuer}},
		{proto.CertificateFilter{Issuer: ca.ID()}, [3]string{ok, ok, ok}},
		{proto.CertificateFilter{Issuer: ca.Thumbprint()}, [3]string{ok, ok, ok}},
		{proto.CertificateFilter{Issuer: strings.Repeat("0", 64)}, [3]string{signing.RuleIssuer, signing.RuleIssuer, signing.RuleIssuer}},
		{proto.CertificateFilter{EKU: []string{"1.3.6.1.5.5.7.3.4"}}, [3]string{ok, signing.RuleEKU, signing.RuleEKU}},
		{proto.CertificateFilter{EKU: []string{"1.3.6.1.5.5.7.3.4", "1.2.643.3.999"}}, [3]string{signing.RuleEKU, signing.RuleEKU, signing.RuleEKU}},
	} {
		for n, key := range keys {
			var q signing.Question
			p := &person{decide: func(_ context.Context, asked signing.Question) (signing.Decision, error) {
				q = asked
				return no(nil, asked)
			}}
			// Beside one that is like it: one alone that fits is taken without a question.
			_, err := selecting(t, p, several{key, key}, signing.Options{Trust: trust}).Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign, Filter: c.filter})
			got := ok
			if r := q.Choices[0].Refusal; r != nil {
				got = r.Code
			}
			want := error(proto.CodeUserRejected)
			if c.want[n] != ok {
				want = proto.CodeCertificateNone
			}
			if got != c.want[n] || !errors.Is(err, want) {
				t.Errorf("%d, certificate %d: %q, want %q; %v", i, n, got, c.want[n], err)
			}
		}
	}
}

// What does not fit stands after what does, with its reason, and choosing it is choosing what was not offered.
func TestRefusedCannotBeChosen(t *testing.T) {
	past := time.Now().AddDate(0, 0, -1)
	keys, _ := certificates(t, cert.Template{Subject: clerk}, cert.Template{Subject: head, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past},
		cert.Template{Subject: head}, cert.Template{Subject: head, Serial: nil}, cert.Template{Subject: trader, CA: true})
	p := &person{}
	e := selecting(t, p, keys, signing.Options{})
	r := signing.SelectRequest{Purpose: signing.KindSign, Filter: proto.CertificateFilter{INNLE: head.INNLE}}
	for chosen, want := range map[int]error{0: nil, 1: nil, 2: proto.CodeInternal, 3: proto.CodeInternal, -1: proto.CodeInternal} {
		p.decide = func(_ context.Context, q signing.Question) (signing.Decision, error) {
			var codes []string
			for _, c := range q.Choices {
				if c.Refusal != nil {
					codes = append(codes, c.Refusal.Code)
				} else {
					codes = append(codes, "")
				}
			}
			if !slices.Equal(codes, []string{"", "", signing.RuleINNLE, "certificate_expired"}) || !q.Choices[2].Attorney || q.Choices[0].Attorney {
				t.Errorf("%q, %+v", codes, q.Choices)
			}
			return signing.Decision{Approved: true, Chosen: chosen}, nil
		}
		if _, err := e.Select(t.Context(), page, r); want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%d: %v", chosen, err)
		}
	}
}

// Where nothing fits the person sees why; the page gets the reasons by their codes, and nothing of whose certificates they are.
func TestNoneIsExplained(t *testing.T) {
	past := time.Now().AddDate(0, 0, -1)
	keys, _ := certificates(t, cert.Template{Subject: clerk}, cert.Template{Subject: trader}, cert.Template{Subject: head, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past})
	p := &person{decide: no}
	e := selecting(t, p, keys, signing.Options{})
	_, err := e.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign, Filter: proto.CertificateFilter{INN: head.INN}})
	var pe *proto.Error
	if !errors.As(err, &pe) || pe.Code != proto.CodeCertificateNone || fmt.Sprint(pe.Args) != "map[reasons:filter_inn certificate_expired]" {
		t.Errorf("%v %v", err, pe.Args)
	}
	if len(p.asked) != 1 || len(p.asked[0].Choices) != 3 || p.outcomes[0].Code != string(proto.CodeUserRejected) {
		t.Errorf("%+v %+v", p.asked, p.outcomes)
	}
	none := signing.New(keys, approver(func() (signing.Prompt, error) { return nil, signing.ErrNoPrompt }), nil, signing.Options{})
	if _, err := none.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign, Filter: proto.CertificateFilter{INN: head.INN}}); !errors.Is(err, proto.CodeCertificateNone) {
		t.Errorf("without a window: %v", err)
	}
}

// Three such windows are enough for a while: a site cannot keep the person closing them, nor go on asking unseen who is among the
// certificates. What they could say yes to is shown as ever.
func TestNoneIsNotExplainedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, _ := certificates(t, cert.Template{Subject: clerk}, cert.Template{Subject: trader})
		p := &person{decide: no}
		e := selecting(t, p, keys, signing.Options{})
		ask := func(inn string) *proto.Error {
			_, err := e.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign, Filter: proto.CertificateFilter{INN: inn}})
			return proto.AsError(err)
		}
		for range 3 {
			if err := ask(head.INN); err.Code != proto.CodeCertificateNone {
				t.Fatal(err)
			}
		}
		if err := ask(head.INN); err.Code != proto.CodeOriginCooldown || err.Args["reasons"] != "" || len(p.asked) != 3 {
			t.Errorf("%v %v, asked %d times", err, err.Args, len(p.asked))
		}
		if err := ask(""); err.Code != proto.CodeUserRejected || len(p.asked) != 4 {
			t.Errorf("%v, asked %d times", err, len(p.asked))
		}
		time.Sleep(2 * time.Minute)
		if err := ask(head.INN); err.Code != proto.CodeCertificateNone {
			t.Error(err)
		}
	})
}

// The last choice of a site is marked there and nowhere else, is not taken without the person, and can be forgotten.
func TestLastChoice(t *testing.T) {
	keys, _ := certificates(t, cert.Template{Subject: clerk}, cert.Template{Subject: trader})
	p := &person{}
	path := filepath.Join(t.TempDir(), "known.json")
	marked := func(who signing.Caller) (at int) {
		at = -1
		p.decide = func(_ context.Context, q signing.Question) (signing.Decision, error) {
			at = slices.IndexFunc(q.Choices, func(c signing.Choice) bool { return c.Last })
			return signing.Decision{Approved: true, Chosen: 1}, nil
		}
		e := selecting(t, p, keys, signing.Options{Known: signing.NewKnown(path)}) // as after a restart
		if key, err := e.Select(t.Context(), who, signing.SelectRequest{Purpose: signing.KindSign}); err != nil || key.ID() != keys[1].ID() {
			t.Fatal(err)
		}
		return at
	}
	other := page
	other.Origin = "https://other.example"
	for i, c := range []struct {
		who  signing.Caller
		want int
	}{{page, -1}, {page, 1}, {other, -1}, {signing.Caller{User: "u"}, -1}, {signing.Caller{User: "u"}, -1}} {
		if got := marked(c.who); got != c.want {
			t.Errorf("%d: %d is marked, want %d", i, got, c.want)
		}
	}
	selecting(t, p, keys, signing.Options{Known: signing.NewKnown(path)}).ForgetSite(page.Origin)
	if got := marked(page); got != -1 {
		t.Errorf("%d is marked after it was forgotten", got)
	}
	if len(p.asked) != 6 {
		t.Errorf("%d questions", len(p.asked))
	}
}
