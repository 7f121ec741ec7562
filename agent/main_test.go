// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"persten/internal/fleet/fleettest"
)

// played are the programs that the test binary also is, so that tests can start them: persten itself in scripts, the pinentry
// that answers prompts from a file (pinentry_test.go), and others.
var played = map[string]func(){"persten": main, "pinentry": pinentryMain, "card": cardMain, "collector": fleettest.Main, "desks": desksMain}

func TestMain(m *testing.M) { testscript.Main(cleaning{m}, played) }

// cleaning removes what all tests share.
type cleaning struct{ *testing.M }

func (c cleaning) Run() int {
	defer func() {
		if dir, err := shared(); err == nil {
			os.RemoveAll(dir)
		}
	}()
	return c.M.Run()
}

// shared is a folder for what is made once for all tests.
var shared = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "persten-agent-") })
