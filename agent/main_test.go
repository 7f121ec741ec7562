// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary also be the programs that the tests start: persten itself, and the pinentry that answers
// prompts from a file (pinentry_test.go).
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"persten": main, "pinentry": pinentryMain})
}
