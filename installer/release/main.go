// SPDX-License-Identifier: GPL-3.0-or-later

// Command release is the publisher's side of updates: it makes keys, signs the list of keys and the description of a release, and
// checks that a release is fit to be published. It is no part of the agent. installer/RELEASE.md is the procedure.
//
//	release keygen FILE
//	release keys --root FILE --serial N [--days N] [--threshold N] --out FILE PUBLIC-KEY...
//	release describe --dir DIR --url BASE --version V --serial N --notes URL --keys FILE --key FILE... --roots PUBLIC-KEY,... --out FILE
//	release check --version V [--dir DIR] [--again DIR]
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	commands := map[string]func([]string, io.Writer) error{"keygen": keygen, "keys": signKeys, "describe": describe, "check": check}
	if len(args) > 0 && commands[args[0]] != nil {
		return commands[args[0]](args[1:], out)
	}
	return fmt.Errorf("want keygen, keys, describe or check; see `go doc ./installer/release`")
}

// several is a flag that may be given more than once.
type several []string

func (s *several) String() string { return strings.Join(*s, ",") }

func (s *several) Set(v string) error {
	*s = append(*s, v)
	return nil
}

// parse reads flags of which the named ones are needed.
func parse(f *flag.FlagSet, args []string, needed ...string) error {
	f.Init(f.Name(), flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	for _, name := range needed {
		if v := f.Lookup(name).Value.String(); v == "" || v == "0" {
			return fmt.Errorf("%s: --%s is missing", f.Name(), name)
		}
	}
	return nil
}
