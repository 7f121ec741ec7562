// SPDX-License-Identifier: GPL-3.0-or-later

// Package look is how the windows of Persten look: colours, type, and the few widgets that Gio does not have.
//
// # Contract
//
// A [Theme] is one look, light or dark, chosen when it is made; nothing is kept in global variables. Widgets are
// functions of Gio that are laid out where they stand: look knows neither questions nor documents, and no words but those
// it is given. Text must be safe to draw already.
//
// # Colours
//
// Every pair of colours in which text is drawn has a contrast of 4.5:1 or more (WCAG 2, success criterion 1.4.3); a test
// computes it for both palettes. The accents stand for a kind of question or an outcome, one at a time in a window.
package look
