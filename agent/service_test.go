// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"persten/installer"
	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/text"
	"persten/proto"
)

func TestParseService(t *testing.T) {
	for _, c := range []struct {
		args string
		want serviceOrder
		ok   bool
	}{
		{"install", serviceOrder{action: "install"}, true},
		{"install --headless", serviceOrder{action: "install", headless: true}, true},
		{"--headless install", serviceOrder{action: "install", headless: true}, true},
		{"status", serviceOrder{action: "status"}, true},
		{"run --headless", serviceOrder{action: "run", headless: true}, true},
		{"restart", serviceOrder{action: "restart"}, true},
		{"install --system", serviceOrder{action: "install", system: true}, true},
		{"restart --system", serviceOrder{action: "restart", system: true}, true},
		{"", serviceOrder{}, false},
		{"start --headless", serviceOrder{}, false},
		{"restart --headless", serviceOrder{}, false},
		{"start stop", serviceOrder{}, false},
	} {
		got, err := parseService(strings.Fields(c.args))
		if (err == nil) != c.ok {
			t.Errorf("%q: error %v, want ok %v", c.args, err, c.ok)
		}
		if c.ok && got != c.want {
			t.Errorf("%q: %+v, want %+v", c.args, got, c.want)
		}
		if !c.ok && !errors.Is(err, proto.Code("usage")) {
			t.Errorf("%q: %v, want usage", c.args, err)
		}
	}
}

// TestServiceTexts: everything runService may print or return has words in both languages.
func TestServiceTexts(t *testing.T) {
	keys := []string{"service.status.running", "service.status.stopped", "service.status.absent", "service.status.crashed", "service.status.crashed.system", "service.sandbox.absent"}
	for _, a := range serviceActions[:5] {
		keys = append(keys, "service.done."+a)
	}
	for _, lang := range []text.Lang{"ru", "en"} {
		for _, k := range keys {
			if s := text.Get(lang, k, nil); s == "" || s == k {
				t.Errorf("%s: no text for %s", lang, k)
			}
		}
	}
	var known []struct{ Code string }
	if err := json.Unmarshal(proto.ErrorsJSON, &known); err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, e := range known {
		codes[e.Code] = true
	}
	for _, c := range []string{"usage", "service_unavailable", "service_absent", "service_failed"} {
		if !codes[c] {
			t.Errorf("proto/errors.json has no %s", c)
		}
	}
}

func TestServiceFailedKeepsItsCode(t *testing.T) {
	if err := serviceFailed(proto.E("service_absent", nil)); !errors.Is(err, proto.Code("service_absent")) {
		t.Errorf("got %v", err)
	}
	if err := serviceFailed(errors.New("x")); !errors.Is(err, proto.Code("service_failed")) {
		t.Errorf("got %v", err)
	}
}

func TestUnitsAgree(t *testing.T) {
	if !strings.Contains(installer.Service, "ExecStart="+installer.ExecStart+"\n") {
		t.Error("the service unit does not start installer.ExecStart")
	}
	if !strings.Contains(installer.PortService, "ExecStart="+installer.PortExecStart+"\n") {
		t.Error("the port's unit does not start installer.PortExecStart")
	}
	for _, line := range []string{"ListenStream=" + config.DefaultWebSocket + "\n", "ListenStream=" + ipc.PortSocket + "\n"} {
		if !strings.Contains(installer.PortSocket, line) {
			t.Errorf("the port's socket unit has no %q", line)
		}
	}
	if !strings.Contains(installer.Service, "Requires=persten.socket\n") {
		t.Error("the service unit does not require its socket")
	}
	for _, line := range []string{"ListenStream=%t/persten/session.sock\n", "SocketMode=0600\n", "DirectoryMode=0700\n"} {
		if !strings.Contains(installer.Socket, line) {
			t.Errorf("the socket unit has no %q", line)
		}
	}
}
