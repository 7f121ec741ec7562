// SPDX-License-Identifier: GPL-3.0-or-later

// Command windows makes the Windows packages out of this module. On Linux it compiles both programs with mingw, checks
// what they import, and lets wixl build two MSI files: one for a machine, one for a person without administrator rights.
//
//	go run ./installer/windows -version 1.2.3 -out bin/package
//
// # Signing
//
// SIGN_CERT and SIGN_KEY name PEM files with the publisher's certificates and key, SIGN_TSA the address of a time-stamping
// service. Programs and packages are then signed (Authenticode, SHA-256). Without them nothing is signed, which is said.
//
// # Same sources, same bytes
//
// Unsigned, two runs over the same sources write the same files: every id is made from names and the version, every date
// is SOURCE_DATE_EPOCH or a fixed day.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	var o options
	flag.StringVar(&o.version, "version", "dev", "version, as git describe tells it")
	flag.StringVar(&o.out, "out", "bin/package", "folder for the packages")
	flag.StringVar(&o.work, "work", "bin/windows", "folder for the programs and what is made on the way")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "windows packages:", err)
		os.Exit(1)
	}
}

type options struct{ version, out, work string }

// run makes all of it. A file stands in the folder for packages only when it is whole.
func run(o options) error {
	v := parseVersion(o.version)
	key, err := signingKey()
	if err != nil {
		return err
	}
	if key == nil {
		fmt.Fprintln(os.Stderr, "windows packages: SIGN_CERT and SIGN_KEY are not set; programs and packages stay unsigned")
	}
	stage := filepath.Join(o.work, "stage")
	if err := errors.Join(os.MkdirAll(o.out, 0o755), os.MkdirAll(stage, 0o755)); err != nil {
		return err
	}
	for _, p := range programs {
		exe := filepath.Join(stage, p.Name)
		if err := p.build(v, o.work, exe); err != nil {
			return err
		}
		if err := key.sign(exe, p.About); err != nil {
			return err
		}
	}
	if err := stageFiles(stage); err != nil {
		return err
	}
	for _, user := range []bool{false, true} {
		p := pack{version: v, User: user}
		if err := p.make(stage, filepath.Join(o.out, p.fileName()), key); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a program of the system in dir. Its error carries what the program said.
func tool(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}
