// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import "strings"

// nothingSigned is the sentence of the catalogue that is not true of a batch in which something was signed.
var nothingSigned = strings.NewReplacer(" Подпись не создана.", "", " No signature was created.", "")

// Partly is a text of the catalogue without the sentence that no signature was created.
func Partly(what string) string { return nothingSigned.Replace(what) }
