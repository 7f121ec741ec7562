// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"context"

	"persten/internal/token"
)

// checkPINs looks at what the flags of tokens say about their PINs. It tries none.
func checkPINs(ctx context.Context, m *Machine) (list []Finding) {
	if m.Keys == nil {
		return nil
	}
	all, _ := m.Keys.Tokens(ctx) // what failed is the matter of the drivers' check
	for _, t := range all {
		name := tokenName(t)
		switch {
		case t.Locked:
			list = append(list, problem("token_locked", name))
		case t.Final:
			list = append(list, warning("token_final_try", name))
		}
		if t.Issued {
			list = append(list, warning("pin_issued", name))
		}
	}
	return list
}

// tokenName is what people know a token by.
func tokenName(t token.Info) string {
	name := cmp.Or(oneLine(t.Label), oneLine(t.Model), t.Module)
	if serial := oneLine(t.Serial); serial != "" {
		name += " (" + serial + ")"
	}
	return name
}
