// SPDX-License-Identifier: GPL-3.0-or-later

// Gen writes everything that follows from the protocol's data.
//
//	go run ./proto/gen [-check] [-proto DIR] [-ext DIR]
//
// It reads persten.openrpc.json, errors.json, extension.json, foreign.json (errors of other people's that ours are met beside),
// known.json (troubles people arrive with) and examples in the proto directory and writes proto.gen.go, server_gen_test.go (a Server for the package's tests) and API.md
// beside them, and in the extension's directory src/proto.gen.ts, sdk/texts.gen.ts (what people read about the errors marked
// "client", which arise where no agent can word them), _locales/{ru,en}/messages.json, help/index.html (every error explained)
// and demo/methods.gen.ts (the forms of the playground). With -check it writes nothing, names the files that differ and ends with 1. By default
// both directories are found from the directory of go.mod.
//
// The order of the source is the order of the output. A schema keyword the generator does not know is an error: a
// constraint that is written down and not enforced is worse than none.
//
// # Adding a method
//
// One entry under methods in persten.openrpc.json, one pair examples/METHOD.json, and, after `go generate ./proto`, one Go
// method: the compiler asks for it wherever a Server is made. TestAddMethod does exactly that with testdata/method and
// compiles the result.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "write nothing, fail when a generated file is stale")
	protoDir := flag.String("proto", "", "`directory` of persten.openrpc.json")
	extDir := flag.String("ext", "", "`directory` of the browser extension")
	flag.Parse()
	if err := run(*protoDir, *extDir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(protoDir, extDir string, check bool) error {
	if protoDir == "" || extDir == "" {
		root, err := moduleRoot()
		if err != nil {
			return err
		}
		protoDir, extDir = filepath.Join(root, "proto"), filepath.Join(root, "browserext")
	}
	files, err := generate(protoDir, extDir)
	if err != nil {
		return err
	}
	var stale error
	for _, f := range files {
		old, err := os.ReadFile(f.path)
		if err == nil && bytes.Equal(old, f.data) {
			continue
		}
		if check {
			stale = errors.Join(stale, fmt.Errorf("%s is stale; run go generate ./proto", f.path))
			continue
		}
		if err := f.write(); err != nil {
			return err
		}
	}
	return stale
}

// file is one output.
type file struct {
	path string
	data []byte
}

func (f file) write() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(f.path, f.data, 0o644)
}

func generate(protoDir, extDir string) ([]file, error) {
	var sources [5][]byte
	for i, name := range []string{"persten.openrpc.json", "errors.json", "extension.json", "foreign.json", "known.json"} {
		data, err := os.ReadFile(filepath.Join(protoDir, name))
		if err != nil {
			return nil, err
		}
		sources[i] = data
	}
	a, err := readAPI(sources[0], sources[1], sources[2])
	if err != nil {
		return nil, err
	}
	if err := errors.Join(a.readForeign(sources[3]), a.readKnown(sources[4]), a.readExamples(filepath.Join(protoDir, "examples"))); err != nil {
		return nil, err
	}
	return a.files(protoDir, extDir)
}

// files writes every output.
func (a *api) files(protoDir, extDir string) ([]file, error) {
	code, err := a.writeGo()
	if err != nil {
		return nil, err
	}
	double, err := a.writeGoTest()
	if err != nil {
		return nil, err
	}
	help, err := a.writeHelp()
	if err != nil {
		return nil, err
	}
	forms, err := a.writeForms()
	if err != nil {
		return nil, err
	}
	return []file{
		{filepath.Join(protoDir, "proto.gen.go"), code},
		{filepath.Join(protoDir, "server_gen_test.go"), double},
		{filepath.Join(protoDir, "API.md"), a.writeMarkdown()},
		{filepath.Join(extDir, "src", "proto.gen.ts"), a.writeTypeScript()},
		{filepath.Join(extDir, "sdk", "texts.gen.ts"), a.writeTexts()},
		{filepath.Join(extDir, "_locales", "ru", "messages.json"), a.writeLocale("ru")},
		{filepath.Join(extDir, "_locales", "en", "messages.json"), a.writeLocale("en")},
		{filepath.Join(extDir, "help", "index.html"), help},
		{filepath.Join(extDir, "demo", "methods.gen.ts"), forms},
	}, nil
}

// moduleRoot finds the directory of go.mod at or above the current one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above; give -proto and -ext")
		}
		dir = parent
	}
}
