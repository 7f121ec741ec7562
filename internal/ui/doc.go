// SPDX-License-Identifier: GPL-3.0-or-later

// Package ui puts a [signing.Question] before a person and brings back the answer.
//
// # Contract
//
// A [Body] draws one question in the process that owns it: ui/window with a GUI toolkit, ui/pinentry through an Assuan
// program, ui/terminal on a terminal. [Local] makes an Approver of a Body in the same process. [Remote] makes one of a
// Body in a child process, and [Serve] is the child's side: the session never sees a PIN, because the write end of a
// one-shot pipe travels to the child and the child fills it.
//
// All bodies show the same facts in the same order, made by [NewCard], and end with the same sentences, made by
// [NewClosing]. Whatever came from outside goes through [Safe]: control, formatting and look-alike blank characters are
// spelled out, lengths are capped, so no string can break out of its line or reorder the text around it.
//
// A prompt dies with its question: when the session hangs up before the person has decided, Decide's context ends and
// the body takes its window away. After the decision the window stays to tell the outcome, also when the session is gone.
//
// # Concurrency
//
// A Body is called from one goroutine at a time, except that Progress may come during PIN. Cards and closings are values.
//
// # Rules followed
//
// Federal law 63-FZ, article 12 (2), and ETSI TS 119 101: show what is signed, sign only after confirmation, tell
// plainly whether a signature was created. Clause 5 of UTS 39 in spirit: host names are shown in ASCII form.
package ui
