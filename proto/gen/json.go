// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// node is one JSON value with the order of its members kept: the order of the source is the order of everything generated.
type node struct {
	value  any // nil, bool, string, json.Number; nodes below when composite
	object []field
	array  []node
	kind   byte // '{' '[' or 0
}

type field struct {
	name  string
	value node
}

// parse reads one JSON document and refuses duplicate members.
func parse(data []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	n, err := readNode(dec)
	if err != nil {
		return n, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return n, fmt.Errorf("trailing data at byte %d", dec.InputOffset())
	}
	return n, nil
}

func readNode(dec *json.Decoder) (node, error) {
	t, err := dec.Token()
	if err != nil {
		return node{}, err
	}
	switch t {
	case json.Delim('{'):
		return readObject(dec)
	case json.Delim('['):
		n := node{kind: '['}
		for dec.More() {
			item, err := readNode(dec)
			if err != nil {
				return n, err
			}
			n.array = append(n.array, item)
		}
		_, err = dec.Token()
		return n, err
	}
	return node{value: t}, nil
}

func readObject(dec *json.Decoder) (node, error) {
	n := node{kind: '{'}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return n, err
		}
		name := t.(string)
		if slices.ContainsFunc(n.object, func(f field) bool { return f.name == name }) {
			return n, fmt.Errorf("member %q is given twice", name)
		}
		v, err := readNode(dec)
		if err != nil {
			return n, err
		}
		n.object = append(n.object, field{name, v})
	}
	_, err := dec.Token()
	return n, err
}

func (n node) get(name string) (node, bool) {
	for _, f := range n.object {
		if f.name == name {
			return f.value, true
		}
	}
	return node{}, false
}

func (n node) str(name string) string {
	v, _ := n.get(name)
	s, _ := v.value.(string)
	return s
}

func (n node) strings() []string {
	var out []string
	for _, v := range n.array {
		if s, ok := v.value.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// only fails when an object has a member other than those named.
func (n node) only(where string, names ...string) error {
	if n.kind != '{' {
		return fmt.Errorf("%s: an object is wanted", where)
	}
	for _, f := range n.object {
		if !slices.Contains(names, f.name) {
			return fmt.Errorf("%s: unknown keyword %q", where, f.name)
		}
	}
	return nil
}
