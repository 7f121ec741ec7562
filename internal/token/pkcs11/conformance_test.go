// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

var update = flag.Bool("update", false, "write ../CONFORMANCE.md")

const conformance = "../CONFORMANCE.md"

// implementation is a column of CONFORMANCE.md.
type implementation struct {
	name  string
	suite func(t *testing.T) func(t *testing.T) tokentest.Fixture // makes the token, then opens it for each check
	gost  func(t *testing.T) gostToken                            // nil: no GOST through PKCS#11
}

// TestConformance runs the suite on every implementation, and what their GOST signatures are worth to OpenSSL. The results
// have to be those of CONFORMANCE.md; -update writes that.
func TestConformance(t *testing.T) {
	var suites, gost []tokentest.Column
	for _, i := range implementations() {
		column := tokentest.Column{Name: i.name}
		t.Run(i.name, func(t *testing.T) {
			open := i.suite(t)
			column.Results = tokentest.Run(t, open)
		})
		suites = append(suites, column)
		if i.gost == nil {
			continue
		}
		column = tokentest.Column{Name: i.name}
		t.Run(i.name+" GOST", func(t *testing.T) { column.Results = gostResults(t, i.gost(t)) })
		gost = append(gost, column)
	}
	if t.Failed() {
		t.Log("no comparison with CONFORMANCE.md, and no update of it, after failures")
		return
	}
	var b strings.Builder
	b.WriteString("# Conformance of token implementations\n\n" +
		"Written by `go test ./internal/token/pkcs11 -run TestConformance -update`; do not edit.\n\n" +
		"`ok`: passed. `–`: does not apply, the reason is in the output of the test. `not run`: the token was not there.\n" +
		"Each implementation is two tokens in one library. \"child\" is the module process of the product; there the library is\n" +
		"reached through the fault shim (testdata/p11/faults.c), which crashes, hangs and delays C_Sign, and pulls the tokens of\n" +
		"SoftHSM. The test module pulls its own tokens and counts PINs itself; SoftHSM does neither.\n\n" +
		"## Checks of tokentest\n\n")
	b.WriteString(tokentest.Table("Check", tokentest.Checks(), suites))
	b.WriteString("\n## Algorithms: signatures that verify with the certificate's key\n\n")
	b.WriteString(tokentest.Table("Algorithm", tokentest.Algorithms(), suites))
	b.WriteString("\n## GOST signatures in CMS, verified by OpenSSL\n\n" +
		"OpenSSL also refuses each of them for other content. SoftHSM2-GOST makes no other keys: Botan 2 refuses the other\n" +
		"parameter sets, and takes TC26-256-A for CryptoPro-A's curve.\n\n")
	b.WriteString(tokentest.Table("Parameter set", gostNames(), gost))
	compare(t, b.String())
}

func compare(t *testing.T, now string) {
	if *update {
		if err := os.WriteFile(conformance, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	before, err := os.ReadFile(conformance)
	if err != nil {
		t.Fatalf("%v: write it with -update", err)
	}
	for _, d := range tokentest.Differences(string(before), now) {
		t.Errorf("CONFORMANCE.md: %s", d)
	}
}

func implementations() []implementation {
	return []implementation{
		{name: "demo token", suite: demoSuite},
		{name: "SoftHSM2, child", suite: softHSM(isolated)},
		{name: "SoftHSM2, in process", suite: softHSM(shared)},
		{name: "SoftHSM2-GOST, child", suite: softHSMGOST(isolated), gost: softHSMSets(isolated)},
		{name: "SoftHSM2-GOST, in process", suite: softHSMGOST(shared), gost: softHSMSets(shared)},
		{name: "test module, child", suite: testModule(isolated), gost: moduleSets(isolated)},
		{name: "test module, in process", suite: testModule(shared), gost: moduleSets(shared)},
	}
}

// mode is how a library is run.
type mode struct {
	start    func(...pkcs11.Module) pkcs11.Options
	survives bool // a crash of the library
}

var (
	isolated = mode{inChild, true}
	shared   = mode{inProcess, false}
)

// demoSuite is two demo tokens.
func demoSuite(t *testing.T) func(t *testing.T) tokentest.Fixture {
	first, second := t.TempDir(), t.TempDir()
	return func(t *testing.T) tokentest.Fixture {
		var all []token.Inventory
		for _, dir := range []string{first, second} {
			d, err := keyfile.OpenDemo(dir)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d)
		}
		return tokentest.Fixture{
			Inventory: token.Join(all...), PIN: keyfile.DemoPIN, Wrong: "00000000", Counted: true, Label: keyfile.DemoLabel,
			Want:  []algo.ID{algo.RSASHA256, algo.ECDSASHA256, algo.GOST256, algo.GOST512},
			Tries: keyfile.DemoAttempts, Restore: func(t *testing.T) {
				if err := os.Remove(filepath.Join(first, "attempts.json")); err != nil && !os.IsNotExist(err) {
					t.Error(err)
				}
			},
		}
	}
}

func softHSM(m mode) func(t *testing.T) func(t *testing.T) tokentest.Fixture {
	return func(t *testing.T) func(t *testing.T) tokentest.Fixture {
		hsm := tokentest.SoftHSM(t)
		if err := hsm.Another("Persten test, second"); err != nil {
			t.Fatal(err)
		}
		return through(t, m, hsm.Module, tokentest.Fixture{PIN: hsm.PIN, Wrong: "11112222", Want: softHSMAlgorithms})
	}
}

func testModule(m mode) func(t *testing.T) func(t *testing.T) tokentest.Fixture {
	return func(t *testing.T) func(t *testing.T) tokentest.Fixture {
		s, so := tokentest.NewScenario(t)
		s.Add("events wait")
		for n := range 2 {
			s.Add("slot %d\nlabel Подпись №1\nserial %d\npin 12345678\ntries %s\npresent %s", n+1, n+1,
				s.Path(fmt.Sprint("tries", n)), s.Path(fmt.Sprint("present", n)))
			s.Add("mechanisms rsa ec gost256 gost512")
			for _, kind := range []string{"rsa2048", "p256", "CryptoPro-A", "TC26-512-A"} {
				s.Pair(kind, "")
			}
			touch(t, s.Path(fmt.Sprint("present", n)))
		}
		s.Save()
		return through(t, m, so, tokentest.Fixture{
			PIN: "12345678", Wrong: "11112222", Label: "Подпись №1", Tries: 3,
			Want:    []algo.ID{algo.RSASHA256, algo.RSASHA512, algo.ECDSASHA256, algo.GOST256, algo.GOST512},
			Restore: func(*testing.T) { os.Remove(s.Path("tries0")) },
			Remove:  func(*testing.T) { os.Remove(s.Path("present0")) },
			Insert:  func(t *testing.T) { touch(t, s.Path("present0")) },
		})
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// through completes a fixture for a library. In a child it is loaded through the fault shim, which can break it, and pulls
// the token of a library that knows no other way.
func through(t *testing.T, m mode, so string, f tokentest.Fixture) func(t *testing.T) tokentest.Fixture {
	t.Helper()
	if !m.survives {
		f.Inventory = newInventory(t, m.start(pkcs11.Module{Name: "library", Path: so}))
		return func(*testing.T) tokentest.Fixture { return f }
	}
	shimBuilt = true
	faulty, err := buildShim()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("FAULT_MODULE", so)
	t.Setenv("FAULT_GONE", filepath.Join(dir, "gone"))
	o := m.start(pkcs11.Module{Name: "library", Path: faulty})
	f.Inventory = newInventory(t, o)
	if f.Remove == nil {
		f.Remove = func(t *testing.T) { touch(t, filepath.Join(dir, "gone")) }
		f.Insert = func(t *testing.T) { os.Remove(filepath.Join(dir, "gone")) }
	}
	f.Broken = func(t *testing.T, fault string) *tokentest.Fixture {
		t.Setenv("FAULT_ONCE", filepath.Join(t.TempDir(), "once"))
		o := o
		o.Start = pkcs11.Exec(io.Discard, os.Args[0], childArg)
		switch fault {
		case tokentest.Slow:
			fault = fmt.Sprintf("slow=%d", tokentest.SlowBy.Milliseconds())
		case tokentest.Hang:
			o.SignTimeout = tokentest.HangDeadline
		}
		t.Setenv("FAULT", "C_Sign:1:"+fault)
		b := f
		b.Inventory = newInventory(t, o)
		return &b
	}
	return func(*testing.T) tokentest.Fixture { return f }
}
