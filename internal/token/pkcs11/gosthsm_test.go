// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// fillArg makes this program fill a SoftHSM2-GOST token instead of testing: its key pairs come from C_GenerateKeyPair, since
// no tool of a distribution makes them, and the library stays out of the process that tests.
const fillArg = "gosthsm-fill"

func init() {
	if len(os.Args) == 3 && os.Args[1] == fillArg {
		if err := fillSoftHSM(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

const gostHSMPIN = "87654321"

// gostHSM is what the filler prints.
type gostHSM struct {
	CA     []byte            `json:"ca"`
	IDs    map[string]string `json:"ids"`
	Refuse map[string]string `json:"refuse"` // parameter sets the library does not know, and what it said
}

// newGOSTHSM makes two tokens of SoftHSM2-GOST. Where the library was not built the test is skipped.
func newGOSTHSM(t *testing.T) (string, gostHSM) {
	t.Helper()
	out, err := exec.Command("../../../testdata/p11/softhsm-gost.sh", "--path").Output()
	if err != nil {
		t.Skipf("NOT RUN: SoftHSM2 with GOST is not built (testdata/p11/softhsm-gost.sh): %d checks, %d parameter sets",
			len(tokentest.Checks()), len(tokentest.ParamSets))
	}
	so, dir := strings.TrimSpace(string(out)), t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	cmd := exec.Command(os.Args[0], fillArg, so)
	cmd.Stderr = os.Stderr
	out, err = cmd.Output()
	var h gostHSM
	if err == nil {
		err = json.Unmarshal(out, &h)
	}
	if err != nil {
		t.Fatalf("filling SoftHSM2-GOST: %v", err)
	}
	for set, why := range h.Refuse {
		t.Logf("%s: %s", set, why)
	}
	return so, h
}

func softHSMGOST(m mode) func(t *testing.T) func(t *testing.T) tokentest.Fixture {
	return func(t *testing.T) func(t *testing.T) tokentest.Fixture {
		so, _ := newGOSTHSM(t)
		return through(t, m, so, tokentest.Fixture{PIN: gostHSMPIN, Wrong: "11112222", Want: []algo.ID{algo.GOST256}})
	}
}

func softHSMSets(m mode) func(t *testing.T) gostToken {
	return func(t *testing.T) gostToken {
		so, h := newGOSTHSM(t)
		ca, err := cert.Parse(h.CA)
		if err != nil {
			t.Fatal(err)
		}
		return gostToken{newInventory(t, m.start(pkcs11.Module{Name: "softhsm-gost", Path: so})), gostHSMPIN, ca, h.IDs}
	}
}

// filler is an open session on one token.
type filler struct {
	ctx     *p11.Ctx
	session p11.SessionHandle
	ca      *cert.Certificate
	caKey   algo.PrivateKey
}

func fillSoftHSM(so string) error {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		return err
	}
	ca, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Persten test CA", Country: "RU"}, Key: key.Public(), CA: true}, nil, key)
	if err != nil {
		return err
	}
	ctx := p11.New(so)
	if ctx == nil {
		return errors.New(so + " does not load")
	}
	if err := ctx.Initialize(); err != nil {
		return err
	}
	defer ctx.Finalize()
	h := gostHSM{CA: ca.Raw, IDs: map[string]string{}, Refuse: map[string]string{}}
	for n := range 2 {
		f := filler{ctx: ctx, ca: ca, caKey: key}
		if err := f.token("GOST " + strconv.Itoa(n+1)); err != nil {
			return err
		}
		for i, p := range tokentest.ParamSets {
			if n == 1 && i > 0 {
				break // the second token needs one key
			}
			c, err := f.pair(p, byte(i+1))
			switch {
			case err != nil:
				h.Refuse[p.Name] = err.Error()
			case n == 0:
				h.IDs[p.Name] = c.ID()
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(h)
}

// token initialises a free slot and logs in.
func (f *filler) token(label string) error {
	slots, err := f.ctx.GetSlotList(true)
	if err != nil {
		return err
	}
	slot := slots[len(slots)-1] // the last one is the uninitialised
	if err := f.ctx.InitToken(slot, "00000000", label); err != nil {
		return fmt.Errorf("C_InitToken: %w", err)
	}
	if f.session, err = f.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION); err != nil {
		return err
	}
	if err := f.ctx.Login(f.session, p11.CKU_SO, "00000000"); err != nil {
		return err
	}
	if err := f.ctx.InitPIN(f.session, gostHSMPIN); err != nil {
		return err
	}
	if err := f.ctx.Logout(f.session); err != nil {
		return err
	}
	return f.ctx.Login(f.session, p11.CKU_USER, gostHSMPIN)
}

// pair makes a key pair of the parameter set and its certificate.
func (f *filler) pair(p tokentest.ParamSet, id byte) (*cert.Certificate, error) {
	if p.ID != algo.GOST256 {
		return nil, errors.New("SoftHSM2 has no 512-bit GOST keys")
	}
	set := asn1.RawValue{FullBytes: oidDER(p.OID)}
	digest := oidDER("1.2.643.7.1.1.2.2")
	both := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, []byte{id}), p11.NewAttribute(p11.CKA_LABEL, p.Name)}
	public, _, err := f.ctx.GenerateKeyPair(f.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_GOSTR3410_KEY_PAIR_GEN, nil)},
		append([]*p11.Attribute{
			p11.NewAttribute(p11.CKA_VERIFY, true), p11.NewAttribute(p11.CKA_GOSTR3410_PARAMS, set.FullBytes),
			p11.NewAttribute(p11.CKA_GOSTR3411_PARAMS, digest),
		}, both...),
		append([]*p11.Attribute{p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_PRIVATE, true)}, both...))
	if err != nil {
		return nil, fmt.Errorf("C_GenerateKeyPair: %w", err)
	}
	v, err := f.ctx.GetAttributeValue(f.session, public, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	if err != nil {
		return nil, err
	}
	key, err := gostPublic(p.OID, v[0].Value)
	if err != nil {
		if _, other := gostPublic(tokentest.ParamSets[0].OID, v[0].Value); other == nil {
			err = fmt.Errorf("%w, it is on %s", err, tokentest.ParamSets[0].Name)
		}
		return nil, err
	}
	c, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Демонстрационный Подписант (" + p.Name + ")", Country: "RU"}, Key: key}, f.ca, f.caKey)
	if err != nil {
		return nil, err
	}
	_, err = f.ctx.CreateObject(f.session, append([]*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
		p11.NewAttribute(p11.CKA_PRIVATE, false), p11.NewAttribute(p11.CKA_SUBJECT, c.X509.RawSubject), p11.NewAttribute(p11.CKA_VALUE, c.Raw),
	}, both...))
	return c, err
}

// gostPublic makes the key of a CKA_VALUE.
func gostPublic(set string, value []byte) (algo.PublicKey, error) {
	octets, err := asn1.Marshal(value)
	if err != nil {
		return nil, err
	}
	key := "1.2.643.7.1.1.1.1"
	params := struct{ Set, Digest asn1.RawValue }{
		asn1.RawValue{FullBytes: oidDER(set)}, asn1.RawValue{FullBytes: oidDER("1.2.643.7.1.1.2.2")},
	}
	if len(value) == 128 {
		key = "1.2.643.7.1.1.1.2"
		params.Digest.FullBytes = oidDER("1.2.643.7.1.1.2.3")
	}
	der, err := asn1.Marshal(params)
	if err != nil {
		return nil, err
	}
	spki, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{Algorithm: parseOID(key), Parameters: asn1.RawValue{FullBytes: der}},
		asn1.BitString{Bytes: octets, BitLength: 8 * len(octets)},
	})
	if err != nil {
		return nil, err
	}
	return algo.ParsePublicKey(spki)
}

func parseOID(text string) asn1.ObjectIdentifier {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(err)
		}
		oid = append(oid, n)
	}
	return oid
}

func oidDER(text string) []byte {
	der, err := asn1.Marshal(parseOID(text))
	if err != nil {
		panic(err)
	}
	return der
}
