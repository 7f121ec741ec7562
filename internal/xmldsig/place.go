// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"fmt"
	"strconv"
	"strings"

	"persten/internal/xmldsig/xml"
)

const (
	maxSteps = 32
	maxIndex = 1 << 20
)

// pathStep is one step of a path.
type pathStep struct {
	deep   bool // after //
	local  string
	uri    string
	anyURI bool
	index  int // 0: any
}

// path is a compiled Place.Path.
type path []pathStep

// compilePath reads a path; ns resolves its prefixes.
func compilePath(s string, ns map[string]string) (path, error) {
	var p path
	for rest := s; rest != ""; {
		var one pathStep
		cut, ok := strings.CutPrefix(rest, "/")
		if !ok {
			return nil, fmt.Errorf("%w: %q does not begin with /", ErrPlace, s)
		}
		if rest, one.deep = strings.CutPrefix(cut, "/"); !one.deep {
			rest = cut
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if err := one.parse(rest[:end], ns); err != nil {
			return nil, err
		}
		if p = append(p, one); len(p) > maxSteps {
			return nil, fmt.Errorf("%w: more than %d steps", ErrPlace, maxSteps)
		}
		rest = rest[end:]
	}
	return p, nil
}

// parse reads name, prefix:name or *, and [n].
func (s *pathStep) parse(text string, ns map[string]string) error {
	name, index, indexed := strings.Cut(text, "[")
	if indexed {
		digits, ok := strings.CutSuffix(index, "]")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 1 || n > maxIndex {
			return fmt.Errorf("%w: %q is not a position", ErrPlace, "["+index)
		}
		s.index = n
	}
	prefix, local, qualified := strings.Cut(name, ":")
	if !qualified {
		prefix, local = "", name
	}
	if local == "" || strings.ContainsAny(name, " ()@'\"=|") || strings.Contains(local, ":") {
		return fmt.Errorf("%w: %q is not a name", ErrPlace, name)
	}
	s.local, s.anyURI = local, true
	if qualified {
		var ok bool
		if s.uri, ok = ns[prefix]; !ok {
			return fmt.Errorf("%w: nothing says what the prefix %q stands for", ErrPlace, prefix)
		}
		s.anyURI = false
	}
	return nil
}

func (s *pathStep) fits(n *xml.Name) bool {
	return (s.local == "*" || s.local == string(n.Local)) && (s.anyURI || s.uri == n.URI)
}

// seeker finds the first element a path fits while a document goes by. An empty path fits the root.
type seeker struct {
	path  path
	want  func(*xml.Token) bool // a further condition; nil: none
	stack []level
	found *found
}

// level is an open element: which steps its children may fit.
type level struct {
	next  uint64      // bit i: step i may fit a child
	count map[int]int // children that fitted step i so far, where a position is asked for
}

// found is an element and where its parts are.
type found struct {
	name       string // as written
	uri, local string
	depth      int
	begin      int64 // of the start tag
	inside     int64 // after the start tag
	close      int64 // of the end tag
	end        int64 // after the end tag; 0 as long as it is open
	empty      bool  // written <a/>
}

// newFound describes the element of a start tag.
func newFound(t *xml.Token) *found {
	f := &found{
		name: string(t.Name.Local), uri: t.Name.URI, local: string(t.Name.Local), depth: t.Depth,
		begin: t.Begin, inside: t.Fin, empty: t.Empty,
	}
	if len(t.Name.Prefix) > 0 {
		f.name = string(t.Name.Prefix) + ":" + f.name
	}
	return f
}

// ends takes the token that may be the end tag of the element.
func (f *found) ends(t *xml.Token) bool {
	if f.end != 0 || t.Kind != xml.End || t.Depth != f.depth {
		return false
	}
	f.close, f.end = t.Begin, t.Fin
	return true
}

// see takes the next token of the document.
func (s *seeker) see(t *xml.Token) {
	switch {
	case s.found != nil:
		s.found.ends(t)
	case t.Kind == xml.Start:
		if s.enter(t) && (s.want == nil || s.want(t)) {
			s.found = newFound(t)
		}
	case t.Kind == xml.End:
		s.stack = s.stack[:len(s.stack)-1]
	}
}

// enter opens an element and reports whether the path ends there.
func (s *seeker) enter(t *xml.Token) bool {
	up, here := &level{next: 1}, level{}
	if n := len(s.stack); n > 0 {
		up = &s.stack[n-1]
	}
	done := len(s.path) == 0 && len(s.stack) == 0
	for i := range s.path {
		if up.next&(1<<i) == 0 {
			continue
		}
		if s.path[i].deep {
			here.next |= 1 << i
		}
		if s.path[i].fits(&t.Name) && up.counted(i, s.path[i].index) {
			here.next |= 1 << (i + 1)
			done = done || i+1 == len(s.path)
		}
	}
	s.stack = append(s.stack, here)
	return done
}

// counted counts a child that fits step i and reports whether it is the one asked for.
func (l *level) counted(i, index int) bool {
	if index == 0 {
		return true
	}
	if l.count == nil {
		l.count = map[int]int{}
	}
	l.count[i]++
	return l.count[i] == index
}

// spot is where text goes. What stood there as <a/> needs a little around it.
type spot struct {
	begin, end int64
	head, tail string
}

// spot turns a position into a spot.
func (f *found) spot(p Position) (spot, error) {
	switch p {
	case Before, After:
		if f.depth == 1 {
			return spot{}, fmt.Errorf("%w: nothing may stand beside the root element", ErrPlace)
		}
		if p == Before {
			return spot{begin: f.begin, end: f.begin}, nil
		}
		return spot{begin: f.end, end: f.end}, nil
	case FirstChild, LastChild, "":
		return f.child(p), nil
	}
	return spot{}, fmt.Errorf("%w: position %q", ErrPlace, p)
}

func (f *found) child(p Position) spot {
	switch {
	case f.empty:
		return spot{f.inside - int64(len("/>")), f.inside, ">", "</" + f.name + ">"}
	case p == FirstChild:
		return spot{begin: f.inside, end: f.inside}
	}
	return spot{begin: f.close, end: f.close}
}

// contents is the spot for a new text instead of all the element holds.
func (f *found) contents() spot {
	if s := f.child(LastChild); f.empty {
		return s
	}
	return spot{begin: f.inside, end: f.close}
}
