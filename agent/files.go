// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"persten/internal/token/keyfile"
	"persten/proto"
)

// demoPIN is printed for everybody to read: the demonstration token protects nothing.
const demoPIN = keyfile.DemoPIN

// pick prefers a GOST key: it is what people here come for.
func pick(list []proto.Certificate) proto.Certificate {
	for _, c := range list {
		if c.Token.Demo && c.Algorithm == "gost2012-256" {
			return c
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return proto.Certificate{}
}

// interactive tells whether a person can be asked at this terminal.
func interactive() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// toPerson tells whether what is written to w is read by a person at once.
func toPerson(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
