// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExamples replays the two examples of GOST R 34.10-2012 with their nonces. The first is in RFC 7091 section 7.
func TestExamples(t *testing.T) {
	for _, v := range []struct {
		curve               *Curve
		d, x, y, e, k, r, s string
	}{
		{
			Test256(),
			"7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28",
			"7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B",
			"26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA",
			"2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5",
			"77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3",
			"41AA28D2F1AB148280CD9ED56FEDA41974053554A42767B83AD043FD39DC0493",
			"01456C64BA4642A1653C235A98A60249BCD6D3F746B631DF928014F6C5BF9C40",
		},
		{
			Test512(),
			"0BA6048AADAE241BA40936D47756D7C93091A0E8514669700EE7508E508B102072E8123B2200A0563322DAD2827E2714A2636B7BFD18AADFC62967821FA18DD4",
			"115DC5BC96760C7B48598D8AB9E740D4C4A85A65BE33C1815B5C320C854621DD5A515856D13314AF69BC5B924C8B4DDFF75C45415C1D9DD9DD33612CD530EFE1",
			"37C7C90CD40B0F5621DC3AC1B751CFA0E2634FA0503B3D52639F5D7FB72AFD61EA199441D943FFE7F0C70A2759A3CDB84C114E1F9339FDF27F35ECA93677BEEC",
			"3754F3CFACC9E0615C4F4A7C4D8DAB531B09B6F9C170C533A71D147035B0C5917184EE536593F4414339976C647C5D5A407ADEDB1D560C4FC6777D2972075B8C",
			"0359E7F4B1410FEACC570456C6801496946312120B39D019D455986E364F365886748ED7A44B3E794434006011842286212273A6D14CF70EA3AF71BB1AE679F1",
			"2F86FA60A081091A23DD795E1E3C689EE512A3C82EE0DCC2643C78EEA8FCACD35492558486B20F1C9EC197C90699850260C93BCBCD9C5C3317E19344E173AE36",
			"1081B394696FFE8E6585E7A9362D26B6325F56778AADBC081C0BFBE933D52FF5823CE288E8C4F362526080DF7F70CE406A6EEB1F56919CB92A9853BDE73E5B4A",
		},
	} {
		k, err := NewPrivateKey(v.curve, unhex(t, v.d))
		if err != nil {
			t.Fatal(err)
		}
		if pub := k.Public(); !bytes.Equal(pub.X(), unhex(t, v.x)) || !bytes.Equal(pub.Y(), unhex(t, v.y)) {
			t.Errorf("%s: public key %x, %x", v.curve.Name(), pub.X(), pub.Y())
		}
		digest := reverse(unhex(t, v.e)) // e is the digest as a number
		sig := v.curve.sign(k.d, digest, append(make([]byte, v.curve.Size()), unhex(t, v.k)...))
		if !bytes.Equal(sig, unhex(t, v.s+v.r)) {
			t.Errorf("%s: signature %x", v.curve.Name(), sig)
		}
		if !k.Public().Verify(digest, sig) {
			t.Errorf("%s: the signature of the example is refused", v.curve.Name())
		}
	}
}

// TestVKO is examples 7 and 8 of RFC 7836 appendix B.
func TestVKO(t *testing.T) {
	var keys [2]*PrivateKey
	for i, d := range []string{
		"c990ecd972fce84ec4db022778f50fcac726f46708384b8d458304962d7147f8c2db41cef22c90b102f2968404f9b9be6d47c79692d81826b32b8daca43cb667",
		"48c859f7b6f11585887cc05ec6ef1390cfea739b1a18c0d4662293ef63b79e3b8014070b44918590b4b996acfea4edfbbbcccc8c06edd8bf5bda92a51392d0db",
	} {
		var err error
		if keys[i], err = NewPrivateKey(TC26A512(), reverse(unhex(t, d))); err != nil {
			t.Fatal(err)
		}
	}
	ukm := unhex(t, "1d80603c8544c727")
	for i, k := range keys {
		peer := keys[1-i].Public()
		k256, err := k.VKO256(peer, ukm)
		if err != nil || hex.EncodeToString(k256) != "c9a9a77320e2cc559ed72dce6f47e2192ccea95fa648670582c054c0ef36c221" {
			t.Errorf("256 bits: %x, %v", k256, err)
		}
		k512, err := k.VKO512(peer, ukm)
		if err != nil || hex.EncodeToString(k512) != "79f002a96940ce7bde3259a52e015297adaad84597a0d205b50e3e1719f97bfa"+
			"7ee1d2661fa9979a5aa235b558a7e6d9f88f982dd63fc35a8ec0dd5e242d3bdf" {
			t.Errorf("512 bits: %x, %v", k512, err)
		}
	}
	if _, err := keys[0].Agree(keys[1].Public(), make([]byte, 8)); err == nil {
		t.Error("UKM of zero accepted")
	}
	if _, err := keys[0].Agree(keys[1].Public(), make([]byte, 65)); err == nil {
		t.Error("UKM longer than a coordinate accepted")
	}
}
