// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"context"
	"encoding/json"
	"log/slog"

	"persten/internal/text"
	"persten/proto"
)

// desk is the desktop around the icon. The toolkit keeps the icon's handle to itself, so notices cannot hang on it: they go to
// the log, and the state is in the icon and its menu.
type desk struct{ orders chan<- order }

func newDesk(_ context.Context, orders chan<- order) *desk { return &desk{orders} }

func (d *desk) show(params json.RawMessage, _ text.Lang) {
	if n, ok := read(params); ok {
		slog.Info("notice", "kind", n.Kind, "order", click(n).what, "title", n.Title)
	}
}

func (d *desk) forget([]proto.OpenRequest) {}
