// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"persten/installer"
	"persten/proto"
)

func TestForward(t *testing.T) {
	c, err := read(`[forward]
otlp = "https://collector.example:4318/"
syslog = "log.example:6514"
system = true
ca = "/etc/persten/ca.pem"
certificate = "/etc/persten/desk.pem"
key = "/etc/persten/desk.key"
fields = ["user", "numbers"]
interval_seconds = 1
`, true)
	want := Forward{
		OTLP: "https://collector.example:4318", Syslog: "log.example:6514", System: true,
		CA: "/etc/persten/ca.pem", Certificate: "/etc/persten/desk.pem", Key: "/etc/persten/desk.key",
		Fields: []string{"user", "numbers"}, Every: time.Second, MetricsEvery: metricsEvery,
	}
	if err != nil || !reflect.DeepEqual(c.Forward, want) || !c.Forward.On() {
		t.Errorf("%+v, %v", c.Forward, err)
	}
	if c, err := read("[origins]\nallow = []\n", true); err != nil || c.Forward.On() {
		t.Errorf("without a word of it: %+v, %v", c.Forward, err)
	}
}

// TestForwardRefuses: nothing leaves by mistake.
func TestForwardRefuses(t *testing.T) {
	for _, c := range []struct {
		text   string
		policy bool
		line   string
		detail string
	}{
		{"[forward]\notlp = \"https://collector.example\"\n", false, "1", "machine policy"},
		{"[forward]\nsystem = false\n", false, "1", "machine policy"},
		{"[forward]\notlp = \"http://collector.example\"\n", true, "2", "https"},
		{"[forward]\notlp = \"http://127.0.0.1.example:1\"\n", true, "2", "https"},
		{"[forward]\notlp = \"https://user:secret@collector.example\"\n", true, "2", "user name"},
		{"[forward]\notlp = \"https://collector.example/?key=1\"\n", true, "2", "https"},
		{"[forward]\notlp = \"\"\n", true, "2", "https"},
		{"[forward]\nsyslog = \"log.example\"\n", true, "2", "HOST:PORT"},
		{"[forward]\nsyslog = \"log.example:0\"\n", true, "2", "HOST:PORT"},
		{"[forward]\nsyslog = \":6514\"\n", true, "2", "HOST:PORT"},
		{"[forward]\nca = \"ca.pem\"\n", true, "2", "absolute"},
		{"[forward]\nsystem = true\ncertificate = \"/a.pem\"\n", true, "1", "together"},
		{"[forward]\nfields = [\"user\",\n\"pin\"]\n", true, "3", "must be \"user\""},
		{"[forward]\ninterval_seconds = 0\n", true, "2", "from 1"},
		{"[forward]\nmetrics_seconds = 1\n", true, "2", "from 10"},
		{"[forward]\ncollector = \"x\"\n", true, "2", "unknown key"},
		{"[forward]\nsystem = \"yes\"\n", true, "2", "wrong kind"},
	} {
		_, err := read(c.text, c.policy)
		var pe *proto.Error
		if !errors.As(err, &pe) || pe.Code != invalid(c.policy) || pe.Args["line"] != c.line || !strings.Contains(pe.Args["detail"], c.detail) {
			t.Errorf("%q: %v, want line %s and %q", c.text, err, c.line, c.detail)
		}
	}
}

// TestServerPolicy: the example for servers is a policy.
func TestServerPolicy(t *testing.T) {
	c, err := read(installer.ServerPolicy, true)
	if err != nil || len(c.Unattended) != 1 || c.Unattended[0].PINFile != "%d/pin" || !c.Forward.On() || c.Listen.WebSocket != "" {
		t.Errorf("%+v, %v", c, err)
	}
}
