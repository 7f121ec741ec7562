// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"
	"testing"

	"persten/proto"
)

// What tokens and certificates say of themselves neither moves the cursor nor makes lines of its own.
func TestListsOfHostileNames(t *testing.T) {
	const bad = "\x1b[2J\r\nfake\u202e\x07"
	a := &app{lang: "en"}
	info := proto.Token{Label: bad, Serial: bad, Model: bad, Module: bad}
	var out strings.Builder
	a.printCertificates(&out, &proto.CertificatesListResult{Certificates: []proto.Certificate{{
		ID: "id", Name: bad, Organization: bad, Issuer: bad, INN: bad, INNLE: bad, OGRN: bad, OGRNIP: bad, SNILS: bad, Holder: proto.HolderPerson, Usable: true, Token: proto.TokenRef{Label: bad},
	}}})
	a.printTokens(&out, &proto.TokensListResult{Tokens: []proto.Token{info}})
	if s := out.String(); strings.ContainsAny(s, "\x1b\r\x07\u202e") || strings.Contains(s, "\nfake") {
		t.Errorf("%q", s)
	}
}
