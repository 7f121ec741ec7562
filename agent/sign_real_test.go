// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// signingAlone is a person's machine with a practice token and a time-stamping authority of OpenSSL on a loopback address.
type signingAlone struct {
	*verifying
	program, id, tsa string
	demo             *keyfile.Demo
}

func newSigningAlone(t *testing.T) *signingAlone {
	program, err := built() // while HOME is the one with the compiler's cache
	if err != nil {
		t.Fatal(err)
	}
	s := &signingAlone{program: program, verifying: newVerifying(t, "md_gost12_256", "-algorithm", "gost2012_256", "-pkeyopt", "paramset:A")}
	s.issue("root", "tsa", "tsacert")
	s.list("root")
	if s.demo, err = keyfile.OpenDemo(s.Path("tok")); err != nil {
		t.Fatal(err)
	}
	keys, err := s.demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if strings.HasPrefix(k.Certificate().Key.Describe(), "GOST R 34.10-2012 256") {
			s.id = k.ID()
		}
	}
	server := httptest.NewServer(http.HandlerFunc(s.reply))
	t.Cleanup(server.Close)
	s.tsa = server.URL + "/tsa"
	s.write("config.toml", fmt.Sprintf("[trust]\nroots = [%q, %q]\ncrls = [%q, %q]\n[network]\nproxy = \"none\"\nallow = [\"127.0.0.1\"]\n",
		s.Path("root.pem"), s.Path("tok/ca.pem"), s.Path("root.crl"), s.Path("tok/ca.crl")))
	return s
}

// reply answers a time-stamp request.
func (s *signingAlone) reply(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	q, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	os.WriteFile(s.Path("request"), q, 0o600)
	os.Remove(s.Path("response"))
	out, _ := s.Try("ts", "-reply", "-config", "root.tsa", "-queryfile", "request", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "response")
	answer, err := os.ReadFile(s.Path("response"))
	if err != nil {
		s.t.Errorf("openssl ts: %s", out)
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(answer)
}

// run runs the built program with the PIN on a descriptor: its module children are programs of their own.
func (s *signingAlone) run(args ...string) (out, errOut string, code int) {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintln(w, keyfile.DemoPIN)
	w.Close()
	cmd := exec.Command(s.program, append(args, "--cert", s.id, "--demo-token", s.Path("tok"), "--pin-fd", "3")...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &stdout, &stderr, []*os.File{r}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func (s *signingAlone) signed(args ...string) {
	s.t.Helper()
	if out, errOut, code := s.run(append([]string{"sign", "cms"}, args...)...); code != 0 {
		s.t.Fatalf("%v: %s%s", args, out, errOut)
	}
}

// TestSignReal makes T signatures with a time-stamp of a real authority, adds signers and countersigns from the command line; persten
// verify passes them all and OpenSSL accepts the time-stamps.
func TestSignReal(t *testing.T) {
	s := newSigningAlone(t)
	in := s.Path("doc.txt")
	s.signed("--in", in, "--out", s.Path("t.p7s"), "--profile", "t", "--tsa", s.tsa, "--document-name", "Contract 17", "--commitment", "proof-of-approval", "--locality", "Тверь")
	r, code := s.verify("t.p7s")
	if code != 0 || r.Signers[0].Format != "cades-t" || len(r.Signers[0].Timestamps) != 1 || r.Signers[0].DocumentName != "Contract 17" {
		t.Errorf("T: %d, %+v", code, r)
	}
	s.signed("--in", in, "--out", s.Path("two.p7s"), "--add-to", s.Path("t.p7s"))
	s.signed("--in", in, "--out", s.Path("three.p7s"), "--add-to", s.Path("two.p7s"), "--countersign", "1")
	r, code = s.verify("three.p7s")
	if counted := len(r.Signers[0].Countersignatures) + len(r.Signers[1].Countersignatures); code != 0 || counted != 1 {
		t.Errorf("three: %d, %+v", code, r)
	}
	s.signed("--in", in, "--out", s.Path("attached.p7m"), "--attached", "--profile", "472")
	s.signed("--out", s.Path("attached2.p7m"), "--add-to", s.Path("attached.p7m"))
	out, _, code := s.persten("verify", s.Path("attached2.p7m"), "--json")
	var attached proto.Report
	if err := json.Unmarshal([]byte(out), &attached); err != nil || code != 0 || len(attached.Signers) != 2 || !attached.Attached {
		t.Errorf("attached: %d, %s", code, out)
	}
}

// TestSignRealRefusals: without its time-stamp, or against another document, there is no file.
func TestSignRealRefusals(t *testing.T) {
	s := newSigningAlone(t)
	in := s.Path("doc.txt")
	s.signed("--in", in, "--out", s.Path("one.p7s"))
	s.write("other.txt", "Contract 18.\n")
	s.silence(true)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no authority":    {[]string{"--profile", "t"}, "timestamp_absent"},
		"silent":          {[]string{"--profile", "t", "--tsa", s.tsa}, "network_answer"},
		"nobody there":    {[]string{"--profile", "t", "--tsa", gone.URL}, "network_unreachable"},
		"forbidden port":  {[]string{"--profile", "t", "--tsa", "http://127.0.0.1:1/"}, "network_refused"},
		"another content": {[]string{"--add-to", s.Path("one.p7s"), "--in", s.Path("other.txt")}, "content_mismatch"},
		"no such signer":  {[]string{"--add-to", s.Path("one.p7s"), "--countersign", "2"}, "signer_absent"},
		"tsa without t":   {[]string{"--tsa", s.tsa}, "usage"},
		"profile":         {[]string{"--profile", "x"}, "usage"},
	} {
		out, errOut, code := s.run(append([]string{"sign", "cms", "--in", in, "--out", s.Path("none.p7s")}, c.args...)...)
		if code == 0 || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: %d, %s%s", name, code, out, errOut)
		}
		if left, _ := filepath.Glob(s.Path("*none*")); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestExtendReal: signatures get time-stamps of a real authority from the command line, one or all, and persten verify passes them.
func TestExtendReal(t *testing.T) {
	s := newSigningAlone(t)
	in, two := s.Path("doc.txt"), s.Path("doc.txt.p7s")
	s.signed("--in", in, "--out", s.Path("one.p7s"))
	s.signed("--in", in, "--out", two, "--add-to", s.Path("one.p7s"))
	s.signed("--in", in, "--out", s.Path("attached.p7m"), "--attached")
	extend := func(args ...string) (extended, string, int) {
		t.Helper()
		var made extended
		out, errOut, code := s.persten(append([]string{"extend", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &made); code == 0 && (err != nil || time.Since(made.Signers[0].Time).Abs() > time.Minute) {
			t.Errorf("%v: %s", err, out)
		}
		return made, errOut, code
	}
	stamps := func(r *proto.Report) (n []int) {
		for _, signer := range r.Signers {
			n = append(n, len(signer.Timestamps))
		}
		return n
	}
	made, errOut, code := extend(two, "--out", s.Path("second.p7s"), "--tsa", s.tsa, "--signer", "2")
	if code != 0 || len(made.Signers) != 1 || made.Signers[0].Signer != 2 || made.Signers[0].Authority != "tsa" {
		t.Fatalf("second: %d, %+v, %s", code, made, errOut)
	}
	if r, code := s.verify("second.p7s"); code != 0 || !slices.Equal(stamps(r), []int{0, 1}) || r.Signers[1].Format != "cades-t" {
		t.Errorf("second: %d, %+v", code, r)
	}
	s.write("config.toml", strings.Replace(string(s.Read("config.toml")), "[trust]", fmt.Sprintf("[trust]\ntsa = %q", s.tsa), 1))
	if made, errOut, code := extend(s.Path("second.p7s"), "--out", s.Path("both.p7s"), "--content", in); code != 0 || len(made.Signers) != 1 {
		t.Errorf("the rest: %d, %+v, %s", code, made, errOut)
	}
	if r, code := s.verify("both.p7s"); code != 0 || !slices.Equal(stamps(r), []int{1, 1}) {
		t.Errorf("both: %d, %+v", code, r)
	}
	if _, errOut, code := extend(s.Path("attached.p7m"), "--out", s.Path("attached-t.p7m")); code != 0 {
		t.Errorf("attached: %d, %s", code, errOut)
	}
	s.Run("cms", "-verify", "-binary", "-inform", "DER", "-in", "attached-t.p7m", "-CAfile", "tok/ca.pem", "-purpose", "any", "-out", "content")
	s.extendRefusals(in, two, extend)
}

// extendRefusals: what cannot be stamped leaves no file, and a file that is there stays.
func (s *signingAlone) extendRefusals(in, two string, extend func(...string) (extended, string, int)) {
	s.write("other.txt", "Contract 18.\n")
	s.write("alone.p7s", string(s.Read("doc.txt.p7s")))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		args []string
		want string
		code int
	}{
		"silent":            {[]string{two}, "network_answer", exitFailed},
		"nobody there":      {[]string{two, "--tsa", gone.URL}, "network_unreachable", exitFailed},
		"all have one":      {[]string{s.Path("both.p7s"), "--content", in}, "usage", exitUsage},
		"it has one":        {[]string{s.Path("second.p7s"), "--content", in, "--signer", "2"}, "usage", exitUsage},
		"no such signer":    {[]string{two, "--signer", "3"}, "signer_absent", exitFailed},
		"signer 0":          {[]string{two, "--signer", "0"}, "usage", exitUsage},
		"another document":  {[]string{two, "--content", s.Path("other.txt")}, "content_mismatch", exitFailed},
		"no document":       {[]string{s.Path("alone.p7s")}, "content_required", exitFailed},
		"not a signature":   {[]string{in}, "format_cms", exitFailed},
		"no file":           {[]string{s.Path("nothing")}, "file_unreadable", exitFailed},
		"nowhere to put it": {[]string{two, "--out", s.Path("none/none.p7s")}, "file_unwritable", exitFailed},
		"taken":             {[]string{two, "--out", s.Path("both.p7s")}, "file_unwritable", exitFailed},
	} {
		s.silence(name == "silent")
		kept := string(s.Read("both.p7s"))
		_, errOut, code := extend(append([]string{"--out", s.Path("none.p7s")}, c.args...)...)
		if code != c.code || !strings.Contains(errOut, `"`+c.want+`"`) {
			s.t.Errorf("%s: %d, %s", name, code, errOut)
		}
		if left, _ := filepath.Glob(s.Path("*none*")); len(left) != 0 || string(s.Read("both.p7s")) != kept {
			s.t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestSignRawReal: the bare value verifies with the certificate's key.
func TestSignRawReal(t *testing.T) {
	s := newSigningAlone(t)
	sum := algo.Streebog256.Sum(s.Read("doc.txt"))
	keys, err := s.demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var own *cert.Certificate
	for _, k := range keys {
		if k.ID() == s.id {
			own = k.Certificate()
		}
	}
	for _, what := range [][]string{{"--digest", hex.EncodeToString(sum)}, {"--in", s.Path("doc.txt")}} {
		out, errOut, code := s.run(append([]string{"sign", "raw"}, what...)...)
		value, err := hex.DecodeString(strings.TrimSpace(out))
		if code != 0 || err != nil {
			t.Fatalf("%s%s", out, errOut)
		}
		if err := own.Key.Verify(algo.GOST256, algo.Input{Digest: sum}, value); err != nil {
			t.Error(what, err)
		}
	}
	if out, _, code := s.run("sign", "raw", "--in", s.Path("doc.txt"), "--digest", hex.EncodeToString(sum)); code == 0 {
		t.Errorf("both: %s", out)
	}
	for _, digest := range []string{"", "00", hex.EncodeToString(sum[1:]), strings.Repeat("0", 128)} {
		if out, _, code := s.run("sign", "raw", "--digest", digest); code == 0 {
			t.Errorf("digest %q: %s", digest, out)
		}
	}
}
