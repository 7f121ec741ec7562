// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import "strings"

// joinBases reduces the xml:base values of omitted elements and of the element that remains, outermost first, to one
// (Canonical XML 1.1 section 2.4). "" means that no attribute is written.
func joinBases(values []string) string {
	joined := values[len(values)-1]
	for i := len(values) - 2; i >= 0; i-- {
		joined = joinReference(values[i], joined)
	}
	return joined
}

// reference is a URI reference in the parts of RFC 3986 section 5.2. The fragment plays no part in a base.
type reference struct {
	scheme, authority, path, query string
	hasAuthority, hasQuery         bool
}

func parseReference(s string) (r reference) {
	s, _, _ = strings.Cut(s, "#")
	s, r.query, r.hasQuery = strings.Cut(s, "?")
	if i := strings.IndexAny(s, ":/"); i > 0 && s[i] == ':' {
		r.scheme, s = s[:i], s[i+1:]
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		r.hasAuthority = true
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			i = len(rest)
		}
		r.authority, s = rest[:i], rest[i:]
	}
	r.path = s
	return r
}

func (r reference) String() string {
	var b strings.Builder
	if r.scheme != "" {
		b.WriteString(r.scheme + ":")
	}
	if r.hasAuthority {
		b.WriteString("//" + r.authority)
	}
	b.WriteString(r.path)
	if r.hasQuery {
		b.WriteString("?" + r.query)
	}
	return b.String()
}

// joinReference is the function join-URI-References: RFC 3986 section 5.2.2, where the base may be relative too.
func joinReference(base, ref string) string {
	b, r := parseReference(base), parseReference(ref)
	switch {
	case r.scheme != "":
		r.path = removeDots(r.path)
		return r.String()
	case r.hasAuthority:
		r.path = removeDots(r.path)
	case r.path == "":
		r.path = removeDots(b.path)
		if !r.hasQuery {
			r.query, r.hasQuery = b.query, b.hasQuery
		}
	case strings.HasPrefix(r.path, "/"):
		r.path = removeDots(r.path)
	default:
		r.path = removeDots(mergePaths(b, r.path))
	}
	if !r.hasAuthority {
		r.authority, r.hasAuthority = b.authority, b.hasAuthority
	}
	r.scheme = b.scheme
	return r.String()
}

// mergePaths is RFC 3986 section 5.2.3; a last segment of the base that is ".." is a folder.
func mergePaths(base reference, path string) string {
	if base.hasAuthority && base.path == "" {
		return "/" + path
	}
	if base.path == ".." || strings.HasSuffix(base.path, "/..") {
		return base.path + "/" + path
	}
	return base.path[:strings.LastIndexByte(base.path, '/')+1] + path
}

// removeDots is RFC 3986 section 5.2.4 as Canonical XML 1.1 changes it: leading ".." stay, slashes in a row are one, and
// a last ".." gets a slash.
func removeDots(path string) string {
	rooted := strings.HasPrefix(path, "/")
	var kept []string
	folder := false
	for segment := range strings.SplitSeq(path, "/") {
		folder = true
		switch {
		case segment == "" || segment == ".":
		case segment != "..":
			kept, folder = append(kept, segment), false
		case len(kept) > 0 && kept[len(kept)-1] != "..":
			kept = kept[:len(kept)-1]
		case !rooted:
			kept = append(kept, "..")
		}
	}
	clean := strings.Join(kept, "/")
	if folder && clean != "" {
		clean += "/"
	}
	if rooted {
		return "/" + clean
	}
	return clean
}
