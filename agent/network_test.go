// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
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
	for address, want := range map[string]proto.Code{c.Trust.TSA: proto.CodeNetworkRefused, "http://127.0.0.1:2020/": proto.CodeNetworkUnreachable, "http://127.0.0.2:2020/": proto.CodeNetworkRefused} {
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
