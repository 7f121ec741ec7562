// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"testing"

	"persten/proto"
)

// TestCopies: two installations are told of, one is not.
func TestCopies(t *testing.T) {
	m := This()
	m.Root, m.Version = t.TempDir(), "1"
	m.Status = func(context.Context) (*proto.AgentStatusResult, error) {
		return &proto.AgentStatusResult{Version: "1", State: proto.StateReady}, nil
	}
	for n, folders := range [][]string{nil, {`C:\Program Files\Persten`}, {`C:\Program Files\Persten`, `C:\Users\anna\AppData\Local\Programs\Persten`}} {
		m.Copies = func() []string { return folders }
		list := checkAgent(t.Context(), m)
		if n < 2 {
			if len(list) != 0 {
				t.Errorf("%d installations: %+v", n, list)
			}
			continue
		}
		if len(list) != 1 || list[0].Code != "agent_copies" || list[0].Args["folders"] != folders[0]+", "+folders[1] {
			t.Errorf("%+v", list)
		}
	}
}
