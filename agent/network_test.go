// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/tsp"
	"persten/proto"
)

// TestNetworkFaults: every error of the network client has a code, and its arguments are those of the catalogue.
func TestNetworkFaults(t *testing.T) {
	for err, want := range map[error]proto.Code{
		tsp.ErrRefused: "network_refused", tsp.ErrOffline: "network_offline", tsp.ErrUnreachable: "network_unreachable", tsp.ErrTimeout: "network_timeout",
		tsp.ErrTooLarge: "network_answer", tsp.ErrStatus: "network_answer", tsp.ErrAnswer: "network_answer", tsp.ErrOutdated: "network_answer",
		tsp.ErrIdentity: "network_untrusted", tsp.ErrProxyAuth: "proxy_auth", tsp.ErrTimeStamp: "timestamp_invalid",
		fmt.Errorf("%w: %w", tsp.ErrProxy, tsp.ErrPAC):         "proxy_script",
		fmt.Errorf("%w: %w", tsp.ErrProxy, tsp.ErrUnreachable): "proxy_failed",
		&tsp.Rejection{Status: 2, Fails: []string{"badAlg"}}:   "timestamp_rejected",
	} {
		got := proto.AsError(networkFault(&tsp.Failure{URL: "http://tsa.example:8080/tsp", Err: err}))
		entry, _ := proto.Lookup(want)
		if got.Code != want || !slices.Equal(slices.Sorted(maps.Keys(got.Args)), slices.Sorted(slices.Values(entry.Args))) ||
			slices.Contains(entry.Args, "host") && got.Args["host"] != "tsa.example" {
			t.Errorf("%v: %+v, want %s", err, got, want)
		}
	}
	for _, err := range []error{nil, context.Canceled, fs.ErrNotExist} {
		if networkFault(err) != err {
			t.Errorf("%v was changed", err)
		}
	}
}

// TestNamedAuthorityAlone: that the configuration names an authority on this computer opens the way of time-stamp requests to its
// URL, and of nothing else.
func TestNamedAuthorityAlone(t *testing.T) {
	var stamps, others atomic.Int64
	location := ""
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/tsa" {
			others.Add(1)
			return
		}
		stamps.Add(1)
		if location != "" {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer authority.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { others.Add(1) }))
	defer other.Close()
	port, otherPort := portOf(t, authority.URL), portOf(t, other.URL)
	for _, host := range []string{"localhost", "LOCALHOST.", "127.0.0.1"} {
		c := &config.Config{Network: config.Network{Proxy: "none"}, Trust: config.Trust{TSA: "http://" + host + ":" + port + "/tsa"}}
		n, err := newNetwork(c, "", false)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		fetches := func() {
			t.Helper()
			for _, address := range []string{host, "localhost", "127.0.0.1"} {
				for _, p := range []string{port, otherPort} {
					if _, err := n.FetchCRL(t.Context(), "http://"+address+":"+p+"/tsa", nil); !errors.Is(err, tsp.ErrRefused) {
						t.Errorf("tsa at %s, list at %s:%s: %v", host, address, p, err)
					}
				}
			}
		}
		fetches()
		for to, want := range map[string]proto.Code{
			"": proto.CodeNetworkAnswer, other.URL + "/tsa": proto.CodeNetworkRefused, "/tsa": proto.CodeNetworkRefused,
			"http://" + host + ":" + otherPort + "/tsa": proto.CodeNetworkRefused,
		} {
			location = to
			before := stamps.Load()
			_, err = newStamper(n, c.Trust.TSA, cert.Trust{}).Stamp(t.Context(), algo.SHA256, make([]byte, 32))
			if !errors.Is(err, want) || stamps.Load() != before+1 {
				t.Errorf("tsa at %s, redirect to %q: %v, %d requests", host, to, err, stamps.Load()-before)
			}
			fetches() // no connection is left that would take them there
		}
	}
	if others.Load() != 0 {
		t.Errorf("%d requests that are not for time-stamps", others.Load())
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// TestNewNetwork: the configuration reaches the client.
func TestNewNetwork(t *testing.T) {
	c := &config.Config{Network: config.Network{Offline: true, Allow: []string{"10.0.0.0/8"}}, Trust: config.Trust{TSA: "http://127.0.0.1:1/tsp"}}
	n, err := newNetwork(c, "", false)
	if err != nil || !n.Offline() {
		t.Fatalf("%v", err)
	}
	sum := make([]byte, 32)
	_, err = newStamper(n, c.Trust.TSA, cert.Trust{}).Stamp(t.Context(), algo.SHA256, sum)
	if !errors.Is(err, proto.CodeNetworkOffline) {
		t.Error(err)
	}
	c.Network = config.Network{Proxy: "none"}
	for address, want := range map[string]proto.Code{c.Trust.TSA: proto.CodeNetworkRefused, "http://127.0.0.1:2020/": proto.CodeNetworkUnreachable} {
		if n, err = newNetwork(c, "", false); err != nil {
			t.Fatal(err)
		}
		if _, err := newStamper(n, address, cert.Trust{}).Stamp(t.Context(), algo.SHA256, sum); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
	c.Trust.TSA = "http://127.1/tsp"
	if n, err = newNetwork(c, "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := newStamper(n, c.Trust.TSA, cert.Trust{}).Stamp(t.Context(), algo.SHA256, sum); !errors.Is(err, proto.CodeNetworkRefused) {
		t.Error(err)
	}
	if len(c.Network.Allow) != 0 {
		t.Errorf("the configuration was changed: %v", c.Network.Allow)
	}
}
