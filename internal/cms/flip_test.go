// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"persten/internal/cert"
)

// sample is a signature whose bits are flipped: which of its parts a flip may touch without the signer being refused.
type sample struct {
	name    string
	sig     []byte
	content []byte // nil: attached
	trust   cert.Trust
}

// samples are 20 signatures: BES, T, EPES, two signers, countersigned ones.
func samples(t *testing.T) (list []sample) {
	for _, attached := range []bool{false, true} {
		content := document
		if attached {
			content = nil
		}
		put := func(name string, sig []byte, owners ...*owner) {
			var trust cert.Trust
			for _, o := range owners {
				trust = join(trust, o.trust())
			}
			list = append(list, sample{fmt.Sprintf("%s, attached %v", name, attached), sig, content, trust})
		}
		for _, kind := range []string{"rsa2048", "p256", "gost256", "gost512", "ed25519"} {
			o := ownerOf(t, kind)
			put("BES "+kind, sign(t, o, document, Options{Attached: attached, Chain: []*cert.Certificate{o.root}}), o)
		}
		a, b := ownerOf(t, "p256"), ownerOf(t, "gost256")
		stamped := Options{Attached: attached, Profile: ProfileT, Stamper: newAuthority(t, "p256")}
		put("T p256", sign(t, a, document, stamped), a)
		put("T gost256", sign(t, b, document, stamped), b)
		full := everything
		full.Attached = attached
		put("EPES", sign(t, a, document, full), a)
		put("two signers", add(t, sign(t, a, document, Options{Attached: attached}), content, b, stamped), a, b)
		put("countersigned", countersign(t, sign(t, a, document, stamped), 0, b, Options{}), a, b)
	}
	return list
}

// TestFlips flips one bit at 10,000 positions over 20 signatures. Each is refused, or reported where it is: a report that holds
// everything it held before is none. What one signer did not sign does not speak against another: a flip in the part of one
// leaves the others as they were, and a flip in what stands beside a signature leaves the signature valid.
func TestFlips(t *testing.T) {
	const positions = 10_000
	random := rand.New(rand.NewSource(6))
	list := samples(t)
	if len(list) != 20 {
		t.Fatalf("%d samples", len(list))
	}
	counts := map[string]int{}
	for _, s := range list {
		before := described(check(t, s.sig, s.content, s.trust))
		if !before.valid {
			t.Fatalf("%s is not valid", s.name)
		}
		spans := regions(t, s.sig)
		for range positions / len(list) {
			i, bit := random.Intn(len(s.sig)), random.Intn(8)
			bad := slices.Clone(s.sig)
			bad[i] ^= 1 << bit
			rep, err := Verify(context.Background(), bytes.NewReader(bad), readerOrNil(s.content), s.trust)
			if err != nil {
				counts["unreadable"]++
				continue
			}
			after := described(rep)
			switch {
			case after.text == before.text:
				t.Errorf("%s: bit %d of byte %d (%02x) went unnoticed", s.name, bit, i, s.sig[i])
			case !after.valid:
				counts["refused"]++
			default:
				counts["reported"]++
			}
			spans.blame(t, s.name, i, rep)
		}
	}
	t.Logf("%d positions over %d signatures: %v", positions, len(list), counts)
}

// summary is everything a report says, as text, without what depends on the path alone.
type summary struct {
	valid bool
	text  string
}

func described(r *Report) summary {
	var b strings.Builder
	fmt.Fprintln(&b, r.Version, r.ContentType, r.Attached, r.Content, r.Unreadable, len(r.Certificates), len(r.Embedded))
	for _, c := range r.Certificates {
		fmt.Fprintln(&b, c.ID())
	}
	for _, a := range r.Embedded {
		fmt.Fprintf(&b, "%x\n", a.DER)
	}
	for _, s := range r.Signers {
		b.WriteString(s.text())
	}
	return summary{r.Valid(), b.String()}
}

func (s SignerReport) text() string {
	var b strings.Builder
	id := ""
	if s.Certificate != nil {
		id = s.Certificate.ID()
	}
	fmt.Fprintln(&b, s.Format, id, s.SigningTime, s.Algorithm, s.Policy, s.Valid, s.Problem, s.Intact, s.Trusted, s.TrustProblem, s.FileName, s.MIMEType,
		s.DocumentName, s.Location, s.Commitment, s.Unread, len(s.Certificates), len(s.Embedded))
	for _, ts := range s.TimeStamps {
		fmt.Fprintln(&b, ts.Time, ts.Accuracy, ts.Policy, ts.Serial, ts.Digest, ts.Imprint, ts.Nonce, ts.Problem, ts.Version, len(ts.Certificates))
		for _, c := range ts.Certificates {
			fmt.Fprintln(&b, c.ID())
		}
		b.WriteString(ts.Signer.text())
	}
	for _, c := range s.Countersignatures {
		b.WriteString(c.text())
	}
	return b.String()
}

// parted are the bytes of each signer, and within them those that stand beside the signature.
type parted []struct{ whole, beside span }

func regions(t *testing.T, sig []byte) (p parted) {
	t.Helper()
	m, err := parse(newReader(bytes.NewReader(sig)))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range m.signers {
		si, err := parseSigner(one.der)
		if err != nil {
			t.Fatal(err)
		}
		beside := span{one.to, one.to}
		if si.unsigned != nil {
			_, _, body, _, _ := split(si.unsigned)
			head := int64(len(si.unsigned) - len(body))
			beside.from = one.to - int64(len(si.unsigned)) + head
		}
		p = append(p, struct{ whole, beside span }{one.span, beside})
	}
	return p
}

// blame checks that a flip at i is told of the right signer. Lengths may take a neighbour with them, so that this holds only
// when all signers can still be told apart.
func (p parted) blame(t *testing.T, name string, i int, rep *Report) {
	t.Helper()
	if len(rep.Signers) != len(p) {
		return
	}
	at := int64(i)
	for n, r := range p {
		inside := at >= r.whole.from && at < r.whole.to
		s := rep.Signers[n]
		if inside && at >= r.beside.from && at < r.beside.to && !s.Valid {
			t.Errorf("%s: a flip beside signature %d refuses it: %v", name, n, s.Problem)
		}
		for other := range p {
			if other != n && inside && !rep.Signers[other].Valid {
				t.Errorf("%s: a flip in signature %d refuses signature %d: %v", name, n, other, rep.Signers[other].Problem)
			}
		}
	}
}
