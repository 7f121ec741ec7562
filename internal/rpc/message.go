// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"persten/internal/ipc"
)

// message is one parsed message of either direction.
type message struct {
	id     json.RawMessage // nil when absent
	method string          // empty in an answer
	params json.RawMessage
	result json.RawMessage
	err    *Error
}

func (m *message) answer() bool { return m.method == "" }

var errBatch = errors.New("batches are not accepted")

// parse reads one message. On error the message still holds the id when one could be read, for the answer.
func parse(b []byte) (*message, *Error) {
	m := &message{}
	if err := ipc.CheckJSON(b, MaxDepth); err != nil {
		return m, malformed(CodeParse, err)
	}
	if b = bytes.TrimSpace(b); b[0] == '[' {
		return m, malformed(CodeInvalidRequest, errBatch)
	}
	members := ipc.Members(b) // a map: names match exactly, not by case folding
	if members == nil {
		return m, malformed(CodeInvalidRequest, errors.New("message is not an object"))
	}
	if err := m.fill(members); err != nil {
		if members["method"] == nil {
			m.id = nil // the id of an answer is ours, not to be answered under
		}
		return m, malformed(CodeInvalidRequest, err)
	}
	return m, nil
}

func (m *message) fill(members map[string]json.RawMessage) error {
	if id, ok := members["id"]; ok {
		if err := checkID(id); err != nil && !(string(id) == "null" && members["error"] != nil) {
			return err
		}
		m.id = id
	}
	if string(members["jsonrpc"]) != `"2.0"` {
		return errors.New(`jsonrpc is not "2.0"`)
	}
	var allowed []string
	if _, ok := members["method"]; ok {
		allowed = []string{"jsonrpc", "id", "method", "params"}
	} else {
		allowed = []string{"jsonrpc", "id", "result", "error"}
	}
	if err := only(members, allowed); err != nil {
		return err
	}
	if members["method"] != nil {
		return m.fillRequest(members)
	}
	return m.fillAnswer(members)
}

func (m *message) fillRequest(members map[string]json.RawMessage) error {
	if err := json.Unmarshal(members["method"], &m.method); err != nil || m.method == "" || len(m.method) > maxMethod {
		return errors.New("method is not a short string")
	}
	m.params = members["params"]
	if m.params != nil && m.params[0] != '{' {
		return errors.New("params is not an object")
	}
	return nil
}

func (m *message) fillAnswer(members map[string]json.RawMessage) error {
	result, hasResult := members["result"]
	fault, hasError := members["error"]
	if hasResult == hasError || m.id == nil {
		return errors.New("neither a request nor an answer")
	}
	m.result = result
	if !hasError {
		return nil
	}
	m.err = &Error{}
	if err := json.Unmarshal(fault, m.err); err != nil || string(fault) == "null" {
		return errors.New("error is not an error object")
	}
	return nil
}

func only(members map[string]json.RawMessage, allowed []string) error {
next:
	for name := range members {
		for _, a := range allowed {
			if name == a {
				continue next
			}
		}
		return fmt.Errorf("unknown member %.40q", name)
	}
	return nil
}

// checkID accepts a string or an integer, so that equal ids are equal bytes once a string is unquoted.
func checkID(id json.RawMessage) error {
	bad := errors.New("id is not a short string or an integer")
	if len(id) > maxID || len(id) == 0 {
		return bad
	}
	if id[0] == '"' {
		return nil
	}
	if n, err := strconv.ParseInt(string(id), 10, 64); err != nil || strconv.FormatInt(n, 10) != string(id) {
		return bad
	}
	return nil
}

// key is the form under which a checked id is remembered.
func key(id json.RawMessage) string {
	var s string
	if id[0] == '"' && json.Unmarshal(id, &s) == nil {
		return "s" + s
	}
	return "n" + string(id)
}

type wireRequest struct {
	JSONRPC string `json:"jsonrpc"`
	ID      *int64 `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

func encodeRequest(id *int64, method string, params any) ([]byte, error) {
	b, err := marshal(wireRequest{JSONRPC: "2.0", ID: id, Method: method, Params: params})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	return b, nil
}

type wireAnswer struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result"`
}

type wireError struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *Error          `json:"error"`
}

// marshal leaves <, > and & as they are: escaping them would only make messages longer.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// data is the part of an error that programs switch on: a code of the error catalogue and its arguments.
func data(code string, args ...string) json.RawMessage {
	d := struct {
		Code string            `json:"code"`
		Args map[string]string `json:"args"`
	}{code, map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		d.Args[args[i]] = strings.ToValidUTF8(args[i+1], "?")
	}
	b, _ := json.Marshal(d) // strings only
	return b
}

func malformed(code int, err error) *Error {
	return &Error{Code: code, Message: err.Error(), Data: data("request_malformed", "detail", err.Error())}
}
