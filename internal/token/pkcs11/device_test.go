// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

var (
	tokenURI = flag.String("token", "", "run TestDevice on the token of this PKCS#11 URI (RFC 7512): "+
		"pkcs11:token=LABEL;serial=SERIAL?module-path=PATH&pin-source=FILE")
	wipe = flag.Bool("wipe", false, "TestDevice may enter wrong PINs, never the last one, and make and delete key pairs")
)

// TestDevice runs the suite on a real token. What changes the token, an entered wrong PIN too, needs -wipe; a person who
// pulls the token is not part of it.
//
//	go test ./internal/token/pkcs11 -run TestDevice -v -token='pkcs11:token=Demo?module-path=/usr/lib/librtpkcs11ecp.so&pin-source=/home/user/pin'
func TestDevice(t *testing.T) {
	if *tokenURI == "" {
		t.Skipf("NOT RUN: %d checks on a real token, which needs -token=URI", len(tokentest.Checks()))
	}
	d, err := parseDevice(*tokenURI)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := os.ReadFile(d.pinFile)
	if err != nil {
		t.Fatalf("pin-source: %v", err)
	}
	d.Inventory = newInventory(t, inChild(pkcs11.Module{Name: "device", Path: d.module}))
	keys, err := d.Keys(t.Context())
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys on the token: %v", len(keys), err)
	}
	info := keys[0].Token()
	if info.Low || info.Final || info.Locked {
		t.Fatalf("wrong PINs were entered before; start with a full counter: %+v", info)
	}
	f := tokentest.Fixture{Inventory: d, PIN: strings.TrimSpace(string(pin)), Label: info.Label}
	if *wipe {
		f.Wrong = strings.Repeat("0", len(f.PIN)-1) + "1"
		if f.Wrong == f.PIN {
			f.Wrong = strings.Repeat("0", len(f.PIN)-1) + "2"
		}
	}
	for _, r := range tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
		if i := f.Token(t); i.Final || i.Locked {
			t.Fatalf("no further check: the next wrong PIN locks the token: %+v", i)
		}
		return f
	}) {
		t.Logf("| %s | %s |", r.Check, r.Outcome)
	}
	t.Run("make and delete key pairs", func(t *testing.T) {
		if !*wipe {
			t.Skip("NOT RUN: needs -wipe")
		}
		d.pairs(t, f.PIN)
	})
}

// device is an inventory of one token.
type device struct {
	token.Inventory
	module, pinFile string
	want            map[string]string // attributes of the URI's path
}

// parseDevice reads the attributes of a URI that a test needs and refuses the others.
func parseDevice(text string) (*device, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "pkcs11" {
		return nil, fmt.Errorf("%q is no PKCS#11 URI", text)
	}
	d := &device{want: map[string]string{}}
	for attribute := range strings.SplitSeq(u.Opaque, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		if value, err = url.PathUnescape(value); err != nil {
			return nil, err
		}
		switch name {
		case "token", "serial", "model", "manufacturer":
			d.want[name] = value
		default:
			return nil, fmt.Errorf("attribute %q of the URI is not known here", name)
		}
	}
	d.module, d.pinFile = u.Query().Get("module-path"), strings.TrimPrefix(u.Query().Get("pin-source"), "file:")
	if !filepath.IsAbs(d.module) || d.pinFile == "" {
		return nil, errors.New("the URI needs an absolute module-path, and a pin-source")
	}
	return d, nil
}

func (d *device) is(i token.Info) bool {
	has := map[string]string{"token": i.Label, "serial": i.Serial, "model": i.Model, "manufacturer": i.Manufacturer}
	for name, value := range d.want {
		if has[name] != value {
			return false
		}
	}
	return true
}

func (d *device) Keys(ctx context.Context) ([]token.Key, error) {
	all, err := d.Inventory.Keys(ctx)
	var own []token.Key
	for _, k := range all {
		if d.is(k.Token()) {
			own = append(own, k)
		}
	}
	return own, err
}

func (d *device) Tokens(ctx context.Context) ([]token.Info, error) {
	all, err := d.Inventory.Tokens(ctx)
	var own []token.Info
	for _, i := range all {
		if d.is(i) {
			own = append(own, i)
		}
	}
	return own, err
}

// pairs makes a pair of each parameter set that the token takes, as session objects, and signs with it.
func (d *device) pairs(t *testing.T, pin string) {
	infos, err := d.Tokens(t.Context())
	if err != nil || len(infos) != 1 {
		t.Fatalf("%d tokens match: %v", len(infos), err)
	}
	ctx := p11.New(d.module)
	if ctx == nil {
		t.Fatal("module does not load")
	}
	if err := ctx.Initialize(); err != nil {
		t.Fatal(err)
	}
	defer ctx.Finalize()
	var slot uint
	if _, err := fmt.Sscan(infos[0].Slot, &slot); err != nil {
		t.Fatal(err)
	}
	session, err := ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := ctx.Login(session, p11.CKU_USER, pin); err != nil {
		t.Fatal(err)
	}
	defer ctx.Logout(session)
	for _, p := range tokentest.ParamSets {
		switch err := signWithNew(ctx, session, p); {
		case errors.Is(err, errRefused):
			t.Logf("%s: %v", p.Name, err)
		case err != nil:
			t.Errorf("%s: %v", p.Name, err)
		default:
			t.Logf("%s: made, signed, verified, deleted", p.Name)
		}
	}
}

// errRefused is a token that does not make such keys, which is no fault.
var errRefused = errors.New("refused")

func signWithNew(ctx *p11.Ctx, session p11.SessionHandle, p tokentest.ParamSet) error {
	make, sign, digest := uint(p11.CKM_GOSTR3410_KEY_PAIR_GEN), uint(p11.CKM_GOSTR3410), "1.2.643.7.1.1.2.2"
	if p.ID == algo.GOST512 {
		make, sign, digest = ckmGOST512KeyPairGen, ckmGOST512, "1.2.643.7.1.1.2.3"
	}
	private := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_PRIVATE, true)}
	public := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_VERIFY, true),
		p11.NewAttribute(p11.CKA_GOSTR3410_PARAMS, oidDER(p.OID)), p11.NewAttribute(p11.CKA_GOSTR3411_PARAMS, oidDER(digest)),
	}
	pub, priv, err := ctx.GenerateKeyPair(session, []*p11.Mechanism{p11.NewMechanism(make, nil)}, public, private)
	if err != nil {
		return fmt.Errorf("%w: C_GenerateKeyPair: %w", errRefused, err)
	}
	defer ctx.DestroyObject(session, priv)
	defer ctx.DestroyObject(session, pub)
	v, err := ctx.GetAttributeValue(session, pub, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	if err != nil {
		return fmt.Errorf("CKA_VALUE: %w", err)
	}
	key, err := gostPublic(p.OID, v[0].Value)
	if err != nil {
		return err
	}
	in := tokentest.Digest(p.ID)
	if err := ctx.SignInit(session, []*p11.Mechanism{p11.NewMechanism(sign, nil)}, priv); err != nil {
		return fmt.Errorf("C_SignInit: %w", err)
	}
	sig, err := ctx.Sign(session, in.Digest)
	if err != nil {
		return fmt.Errorf("C_Sign: %w", err)
	}
	return key.Verify(p.ID, in, sig)
}

func TestParseDevice(t *testing.T) {
	d, err := parseDevice("pkcs11:token=%D0%9F%D0%BE%D0%B4%D0%BF%D0%B8%D1%81%D1%8C;serial=01?module-path=/usr/lib/x.so&pin-source=file:/home/user/pin")
	if err != nil {
		t.Fatal(err)
	}
	if d.module != "/usr/lib/x.so" || d.pinFile != "/home/user/pin" || !d.is(token.Info{Label: "Подпись", Serial: "01", Model: "any"}) ||
		d.is(token.Info{Label: "Подпись", Serial: "02"}) {
		t.Errorf("%+v", d)
	}
	for _, bad := range []string{
		"", "https://example.test", "pkcs11:token=x", "pkcs11:token=x?module-path=x.so&pin-source=/p", "pkcs11:token=x?module-path=/x.so",
		"pkcs11:object=x?module-path=/x.so&pin-source=/p",
	} {
		if _, err := parseDevice(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
