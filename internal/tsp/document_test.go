// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestDocument: any bytes up to the limit come as they are; the rules of addresses, answers and being offline hold as for all else.
func TestDocument(t *testing.T) {
	content, head := []byte("{\"a\": 1}\n"), map[string]string{"Content-Type": "application/octet-stream"}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range head {
			w.Header().Set(name, value)
		}
		if head["Location"] != "" {
			w.WriteHeader(http.StatusFound)
		}
		w.Write(content)
	}))
	t.Cleanup(s.Close)
	limit := int64(len(content))
	c, err := New(Options{Proxy: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Document(t.Context(), s.URL, limit, true); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%q, %v", got, err)
	}
	refused := func(name string, limit int64, named bool, want error) {
		t.Helper()
		if got, err := c.Document(t.Context(), s.URL, limit, named); got != nil || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	refused("one byte too many", limit-1, true, ErrTooLarge)
	refused("an address nobody named", limit, false, ErrRefused)
	head["Location"] = s.URL + "/elsewhere"
	refused("a redirect to this computer", limit, true, ErrRefused)
	delete(head, "Location")
	head["Content-Type"] = "text/html"
	refused("a web page", limit, true, ErrAnswer)
	head["Content-Type"], head["Content-Encoding"] = "application/json", "gzip"
	refused("compressed", limit, true, ErrAnswer)
	if c, err = New(Options{Offline: true}); err != nil {
		t.Fatal(err)
	}
	refused("offline", limit, true, ErrOffline)
}
