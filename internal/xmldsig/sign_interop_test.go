// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

// xmlsec is the independent program: xmlsec1 with GOST.
type xmlsec struct {
	t       *testing.T
	program string
	dir     string
}

func newXMLSec(t *testing.T) *xmlsec {
	t.Helper()
	out, err := exec.Command("../../testdata/xmlsec/xmlsec-gost.sh", "--path").Output()
	if err != nil {
		t.Skip("xmlsec1 with GOST is not built (testdata/xmlsec/xmlsec-gost.sh); its comparison was not run")
	}
	return &xmlsec{t, strings.TrimSpace(string(out)), t.TempDir()}
}

func (x *xmlsec) write(name string, b []byte) string {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		x.t.Fatal(err)
	}
	return path
}

func certificatePEM(c *cert.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// verify returns what xmlsec1 says of the first signature of a document. ids are elements, as {namespace:}name, whose
// attributes Id it is to know.
func (x *xmlsec) verify(doc string, c *cert.Certificate, ids ...string) (string, bool) {
	args := []string{"--verify", "--pubkey-cert-pem", x.write("cert.pem", certificatePEM(c))}
	for _, id := range ids {
		args = append(args, "--id-attr:Id", id)
	}
	out, err := exec.Command(x.program, append(args, x.write("doc.xml", []byte(doc)))...).CombinedOutput()
	return string(out), err == nil
}

// spoiled is the document with one character of a signed place changed.
func spoiled(doc string) string { return strings.Replace(doc, "Id=\"a\"", "Id=\"a\" x=\"y\"", 1) }

// TestXMLSecVerifies: every form with every algorithm is accepted by xmlsec1, and refused with a change in what was signed.
func TestXMLSecVerifies(t *testing.T) {
	x := newXMLSec(t)
	n := 0
	for id := range signerKinds {
		a, _ := algo.Lookup(id)
		if a.PSS {
			continue // xmlsec1 1.2.37 has no RSASSA-PSS; xml-crypto checks it
		}
		s := signerOf(t, id)
		for _, f := range forms(a) {
			out := signDocument(t, s, f.doc, f.o)
			ids := []string{"urn:d:строка", "строка"}
			if said, ok := x.verify(out, s.cert, ids...); !ok {
				t.Errorf("%s, %s: %s\n%s", id, f.name, said, out)
				continue
			}
			n++
			if bad := spoiled(out); bad != out {
				if _, ok := x.verify(bad, s.cert, ids...); ok {
					t.Errorf("%s, %s: xmlsec1 accepts another document", id, f.name)
				}
				if rep := verify(t, bad, s.trust()); rep.Valid() {
					t.Errorf("%s, %s: another document is accepted here", id, f.name)
				}
			}
		}
	}
	t.Logf("%d signatures verified by xmlsec1", n)
}

// TestXMLCryptoVerifies: RSA and ECDSA signatures are accepted by the npm package xml-crypto.
func TestXMLCryptoVerifies(t *testing.T) {
	if _, err := os.Stat("../../browserext/node_modules/xml-crypto"); err != nil {
		t.Skip("xml-crypto is not installed (browserext: npm ci); its comparison was not run")
	}
	dir := t.TempDir()
	var input bytes.Buffer
	type question struct {
		File string `json:"file"`
		Cert string `json:"cert"`
	}
	for id, kind := range signerKinds {
		a, _ := algo.Lookup(id)
		s := signerOf(t, id)
		if strings.HasPrefix(kind, "gost") {
			continue
		}
		for _, f := range forms(a) {
			if f.name == "base64" {
				continue // xml-crypto has no base64 transform
			}
			q := question{filepath.Join(dir, string(id)+"-"+f.name+".xml"), filepath.Join(dir, string(id)+".pem")}
			doc := strings.Replace(f.doc, "<?after it?>", "", 1) // xml-crypto takes the root element for the whole document
			for name, data := range map[string][]byte{q.File: []byte(signDocument(t, s, doc, f.o)), q.Cert: certificatePEM(s.cert)} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			line, _ := json.Marshal(q)
			input.Write(append(line, '\n'))
		}
	}
	cmd := exec.Command("node", "../../testdata/xmlsec/verify.mjs", "--batch")
	cmd.Stdin, cmd.Stderr = &input, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); n++ {
		var a struct {
			File, Result, Reason string
			Signatures           int
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Result != "valid" || a.Signatures != 1 {
			t.Errorf("%s: %s: %s", filepath.Base(a.File), a.Result, a.Reason)
		}
	}
	t.Logf("%d signatures verified by xml-crypto", n)
}
