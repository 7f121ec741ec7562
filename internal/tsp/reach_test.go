// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Any answer but that of a broken server tells that it is there, and what time it has; addresses keep to the rules of all others.
func TestReach(t *testing.T) {
	clock := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", clock.Format(http.TimeFormat))
		switch r.URL.Path {
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/slow":
			<-r.Context().Done()
		case "/silent":
			w.Header()["Date"] = nil
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	}))
	t.Cleanup(s.Close)
	c := here(t, Options{Deadline: 300 * time.Millisecond})
	if got, err := c.Reach(t.Context(), s.URL+"/tsa", true); err != nil || !got.Equal(clock) {
		t.Error(got, err)
	}
	if got, err := c.Reach(t.Context(), s.URL+"/silent", true); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
	for path, want := range map[string]error{"/broken": ErrStatus, "/slow": ErrTimeout} {
		if _, err := c.Reach(t.Context(), s.URL+path, true); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	strict, err := New(Options{Proxy: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.Reach(t.Context(), s.URL+"/tsa", false); !errors.Is(err, ErrRefused) {
		t.Error("an address nobody named:", err)
	}
	if _, err := strict.Reach(t.Context(), s.URL+"/tsa", true); err != nil {
		t.Error("an address somebody named:", err)
	}
	if off, _ := New(Options{Offline: true}); off != nil {
		if _, err := off.Reach(t.Context(), s.URL, true); !errors.Is(err, ErrOffline) {
			t.Error(err)
		}
	}
}
