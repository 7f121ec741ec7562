// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"encoding/json"
	"log/slog"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/proto"
)

// The room of a notice.
const (
	titleColumns = 80
	bodyColumns  = 300
)

// read takes a notice off the wire, fit to be shown.
func read(params json.RawMessage) (n proto.AgentNoticeParams, ok bool) {
	if err := json.Unmarshal(params, &n); err != nil || n.Validate() != nil {
		slog.Warn("a notice that cannot be read", "cause", err)
		return n, false
	}
	n.Title, n.Body = ui.Safe(n.Title, titleColumns), ui.Safe(n.Body, bodyColumns)
	return n, true
}

// click is what a click on a notice does.
func click(n proto.AgentNoticeParams) order {
	if n.Request != "" {
		return order{doRequest, string(n.Request)}
	}
	return order{doPage, string(n.Page)}
}

// openWord is the caption of a notice's button.
func openWord(lang text.Lang) string { return text.Get(lang, "notify.open", nil) }
