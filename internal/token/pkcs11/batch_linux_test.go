// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
	"persten/proto"
)

// rawArg makes this program measure C_SignInit and C_Sign of a library, with nothing around them.
const rawArg = "raw-sign"

func init() {
	if len(os.Args) == 7 && os.Args[1] == rawArg {
		rate, err := rawRate(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(rate)
		os.Exit(0)
	}
}

// rawRate is signatures a second with the key of a label, by one session.
func rawRate(so, pin, label, mechanism, count string) (float64, error) {
	ctx := p11.New(so)
	if ctx == nil {
		return 0, errors.New(so + " does not load")
	}
	if err := ctx.Initialize(); err != nil {
		return 0, err
	}
	defer ctx.Finalize()
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	m, _ := strconv.ParseUint(mechanism, 0, 64)
	n, _ := strconv.Atoi(count)
	data := make([]byte, 32)
	if m == p11.CKM_RSA_PKCS {
		data = make([]byte, 51) // DigestInfo of SHA-256
	}
	for _, slot := range slots {
		s, err := ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION)
		if err != nil {
			return 0, err
		}
		if err := ctx.Login(s, p11.CKU_USER, pin); err != nil {
			continue
		}
		ctx.FindObjectsInit(s, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY)})
		found, _, err := ctx.FindObjects(s, 1)
		ctx.FindObjectsFinal(s)
		if err != nil || len(found) == 0 {
			continue
		}
		start := time.Now()
		for i := range n {
			data[len(data)-1], data[len(data)-2] = byte(i), byte(i>>8)
			if err := ctx.SignInit(s, []*p11.Mechanism{p11.NewMechanism(uint(m), nil)}, found[0]); err != nil {
				return 0, err
			}
			if _, err := ctx.Sign(s, data); err != nil {
				return 0, err
			}
		}
		return float64(n) / time.Since(start).Seconds(), nil
	}
	return 0, errors.New("no such key")
}

// willing approves everything and types one PIN.
type willing struct{ pin string }

func (w willing) Ask(context.Context, signing.Question) (signing.Prompt, error) { return w, nil }
func (w willing) Decide(context.Context) (signing.Decision, error) {
	return signing.Decision{Approved: true}, nil
}
func (w willing) Progress(signing.Step)       {}
func (w willing) Close(signing.Outcome) error { return nil }
func (w willing) PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
	return tokentest.Answers(w.pin).PIN(ctx, r)
}

// batchEngine is the product's engine over a library in a child.
func batchEngine(t testing.TB, inv *pkcs11.Inventory, pin string) (*signing.Engine, *journal.Journal) {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := signing.NewStore(t.TempDir(), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	return signing.New(inv, willing{pin}, j, signing.Options{Store: store}), j
}

// digestBatch is a batch of n digests.
func digestBatch(t testing.TB, inv *pkcs11.Inventory, id string, n int) signing.BatchRequest {
	t.Helper()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.ID() != id {
			continue
		}
		a, _ := algo.Lookup(k.Algorithms()[0])
		r := signing.BatchRequest{Certificate: id}
		for i := range n {
			r.Items = append(r.Items, signing.BatchItem{Digest: a.Digest.Sum([]byte{byte(i), byte(i >> 8)})})
		}
		return r
	}
	t.Fatal("no such key")
	return signing.BatchRequest{}
}

// TestBatchSpeed compares a batch of 1,000 digests, everything the product does for it included, with the bare C_Sign of the
// same key on the same machine in the same minute. Medians of PERSTEN_ROUNDS rounds, alternating; the shares are asked for
// only under PERSTEN_BENCH=1, on a machine that does nothing else.
func TestBatchSpeed(t *testing.T) {
	count, rounds := 200, 1
	if os.Getenv("PERSTEN_BENCH") != "" {
		count, rounds = signing.MaxBatch, 5
	}
	if n, err := strconv.Atoi(os.Getenv("PERSTEN_ROUNDS")); err == nil {
		rounds = n
	}
	check := func(t *testing.T, so, pin, label, id string, mechanism uint, want float64) {
		inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
		e, _ := batchEngine(t, inv, pin)
		r := digestBatch(t, inv, id, count)
		var raws, rates, shares []float64
		for range rounds {
			out, err := exec.Command(os.Args[0], rawArg, so, pin, label, strconv.Itoa(int(mechanism)), strconv.Itoa(count)).Output()
			if err != nil {
				t.Fatalf("raw: %v", err)
			}
			raw, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				t.Fatal(err)
			}
			before, child := cpu(t)
			start, first := time.Now(), time.Time{}
			caller := signing.Caller{Channel: "c", Via: signing.ViaSocket, Lang: "en"}
			made, err := e.SignBatch(t.Context(), caller, r, func(s signing.BatchSigned) {
				if first.IsZero() {
					first = time.Now()
				}
			})
			if err != nil || made.Stopped != nil || made.Count(signing.ItemSigned) != count {
				t.Fatalf("%+v %v", made, err)
			}
			took := time.Since(start)
			rate := float64(count) / took.Seconds()
			own, theirs := cpu(t)
			t.Logf("%s: raw %.0f/s; batch %.0f/s with login, journal, checks and encoding, first after %v: %.0f %%; processor time a signature: %v here, %v in the module",
				label, raw, rate, first.Sub(start).Round(time.Millisecond), 100*rate/raw, (own-before)/time.Duration(count), (theirs-child)/time.Duration(count))
			raws, rates, shares = append(raws, raw), append(rates, rate), append(shares, rate/raw)
		}
		t.Logf("%s: medians of %d: raw %.0f/s, batch of %d %.0f/s, %.0f %%", label, rounds, median(raws), count, median(rates), 100*median(shares))
		if os.Getenv("PERSTEN_BENCH") != "" && median(shares) < want {
			t.Errorf("%s: %.0f %% of C_Sign, want %.0f %%", label, 100*median(shares), 100*want)
		}
	}
	t.Run("softhsm", func(t *testing.T) {
		hsm := tokentest.SoftHSM(t)
		for i, kind := range hsm.Kinds {
			mechanism, want := uint(p11.CKM_RSA_PKCS), 0.9
			if kind == "p256" {
				mechanism, want = p11.CKM_ECDSA, 0.4
			}
			t.Run(kind, func(t *testing.T) { check(t, hsm.Module, hsm.PIN, kind, hsm.IDs[i], mechanism, want) })
		}
	})
	t.Run("softhsm-gost", func(t *testing.T) {
		so, h := newGOSTHSM(t)
		check(t, so, gostHSMPIN, "CryptoPro-A", h.IDs["CryptoPro-A"], p11.CKM_GOSTR3410, 0.9)
	})
}

func median(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

// cpu is the processor time of this process and of its running children.
func cpu(t *testing.T) (own, children time.Duration) {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 || f[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		for _, ticks := range f[11:13] {
			n, _ := strconv.Atoi(ticks)
			children += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), children
}

// runBatch signs n digests with the first key that can, as far as it goes.
func runBatch(t *testing.T, inv *pkcs11.Inventory, pin string, n int, each func(n int)) (*signing.BatchResult, int, error) {
	t.Helper()
	keys, err := inv.Keys(t.Context())
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	e, j := batchEngine(t, inv, pin)
	given := 0
	made, err := e.SignBatch(t.Context(), signing.Caller{Channel: "c", Via: signing.ViaSocket, Lang: "en"},
		digestBatch(t, inv, keys[0].ID(), n), func(s signing.BatchSigned) {
			given++
			each(given)
		})
	if sum, bad := journal.Verify(j.Path()); bad != nil || !sum.OK() || sum.Unknown != 0 {
		t.Errorf("journal: %+v %v", sum, bad)
	}
	return made, given, err
}

// A token that is pulled ends the batch; the account tells what was signed before.
func TestBatchTokenPulled(t *testing.T) {
	for range 5 {
		s, so := tokentest.NewScenario(t)
		present := s.Path("present")
		if err := os.WriteFile(present, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Add("slot 1\nlabel Test\nserial 0001\npin 12345678\nmechanisms gost256 ec rsa\npresent %s", present)
		s.Pair("p256", "")
		s.Save()
		inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
		made, given, err := runBatch(t, inv, "12345678", signing.MaxBatch, func(n int) {
			if n == 40 {
				os.Remove(present)
			}
		})
		if err != nil || !errors.Is(made.Stopped, proto.CodeTokenRemoved) {
			t.Fatalf("%+v %v", made, err)
		}
		if n := made.Count(signing.ItemSigned); n != given || n < 40 || n == signing.MaxBatch {
			t.Errorf("%d signed, %d given", n, given)
		}
	}
}

// A key that asks for the PIN each time signs a batch with one question. The first wrong PIN ends it: none of the signatures
// that wait tries it again.
func TestBatchContextLogin(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT_ALWAYS", s.hsm.PIN)
	log := filepath.Join(s.dir, "log")
	t.Setenv("FAULT_LOG", log)
	count := func() int {
		b, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.Count("\n"+string(b), "\n2 ")
	}
	o := s.options()
	o.SignTimeout = 10 * time.Second
	made, given, err := runBatch(t, newInventory(t, o), s.hsm.PIN, 30, func(int) {})
	if n := count(); err != nil || made.Stopped != nil || given != 30 || n != 30 {
		t.Errorf("%d signed, %d context logins, %v", given, n, err)
	}
	t.Setenv("FAULT", "C_Login:5:rv=0xA0")
	made, given, err = runBatch(t, newInventory(t, o), s.hsm.PIN, 30, func(int) {})
	n := count()
	if err != nil || !errors.Is(made.Stopped, proto.CodePINIncorrect) || given != 3 || n < 3 || n > 4 {
		t.Errorf("after a wrong PIN: %d signed, %d context logins, %+v, %v", given, n, made, err)
	}
}
