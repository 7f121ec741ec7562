// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"encoding/json"
	"testing"

	"persten/internal/ipc"
	"persten/proto"
)

// doctor.run tells a local caller how far it is and what was found, in their language; pages get neither.
func TestDoctorRun(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	c := b.dial(t, local)
	got, bad := call[proto.DoctorRunResult](t, c, proto.MethodDoctorRun, proto.DoctorRunParams{Checks: []string{"config", "disk"}})
	if bad != nil || len(got.Findings) != 2 {
		t.Fatalf("%+v %+v", got, bad)
	}
	seen := map[string]bool{}
	for done := 1; done <= 2; done++ {
		var p proto.ProgressParams
		if err := json.Unmarshal(told(t, c, proto.NotifyProgress), &p); err != nil {
			t.Fatal(err)
		}
		if p.Step != proto.StepChecking || p.Done != done || p.Total != 2 {
			t.Errorf("%+v", p)
		}
		seen[p.Check] = true
	}
	if !seen["config"] || !seen["disk"] {
		t.Errorf("told of %v", seen)
	}
	for name, who := range map[string]ipc.Peer{"native": native, "websocket": websocket} {
		page := b.dial(t, who)
		for method, params := range map[string]any{proto.MethodDoctorRun: proto.DoctorRunParams{}, proto.MethodDoctorFix: proto.DoctorFixParams{ID: "close_folder"}} {
			if _, bad := call[json.RawMessage](t, page, method, params); bad == nil || bad.Code != proto.CodeMethodLocalOnly {
				t.Errorf("%s from %s: %+v", method, name, bad)
			}
		}
	}
	if _, bad := call[json.RawMessage](t, c, proto.MethodDoctorFix, proto.DoctorFixParams{ID: "none"}); bad == nil || bad.Code != proto.CodeRequestInvalid {
		t.Errorf("%+v", bad)
	}
}
