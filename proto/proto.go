// SPDX-License-Identifier: GPL-3.0-or-later

// Package proto is the agent's protocol: methods, types and errors, and the strict reading of requests.
//
// # Source
//
// persten.openrpc.json holds the methods and schemas, errors.json the error catalogue in Russian and English,
// examples/ one pair per method and per error. The generator in gen writes from them proto.gen.go, API.md, the TypeScript
// types of the browser side and the texts of the extension; `go generate ./proto` runs it. Adding a method costs one schema
// entry, one example and one method of [Server]; gen's test shows exactly that.
//
// # Requests
//
// [Dispatch] decodes, validates and calls. It reads strictly: a member that is unknown, written in another case, given
// twice or null is refused, so is anything after the parameters, and nesting deeper than [MaxDepth]. A member whose name
// looks like a PIN or a password is refused wherever it stands, before anything else is looked at. No detail of an error
// quotes a value of the request.
//
// Who may call what is told by [Audience]; the caller of Dispatch decides. Dispatch keeps no state and may be called
// concurrently.
//
// # Errors
//
// An [Error] is a code of the catalogue and its arguments; that is all a client ever sees of it. The cause stays inside
// the process. errors.Is finds an error by its [Code].
package proto

//go:generate go run ./gen

import (
	_ "embed"
	"errors"
)

// Protocol is the name of the protocol: the WebSocket subprotocol and the protocol of agent.hello.
const Protocol = "persten.v1"

// ErrorsJSON is the error catalogue.
//
//go:embed errors.json
var ErrorsJSON []byte

// Code names an error of the catalogue. It is itself an error, so that errors.Is(err, CodeTokenAbsent) asks for it.
type Code string

func (c Code) Error() string { return string(c) }

// Error is an error as clients see it: a code and its arguments. The cause is for the log and for errors.Is.
type Error struct {
	Code  Code
	Args  map[string]string
	cause error
}

// E makes an Error. The args are pairs of name and value; a name without a value gets the empty one.
func E(code Code, cause error, args ...string) *Error {
	e := &Error{Code: code, cause: cause, Args: make(map[string]string, (len(args)+1)/2)}
	for i := 0; i < len(args); i += 2 {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		e.Args[args[i]] = value
	}
	return e
}

// Error is for logs: the code and the cause, no arguments.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is this error's Code, or an *Error of the same code.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Code:
		return t == e.Code
	case *Error:
		return t.Code == e.Code
	}
	return false
}

// AsError returns the first *Error in err's chain. Anything else becomes an internal error with err as its cause and
// without a ref, which whoever logs it adds; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return E(CodeInternal, err)
}
