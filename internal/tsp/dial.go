// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	maxAddresses = 8 // of one name that are tried
	dialTimeout  = 5 * time.Second
)

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "tcp", to.String())
}

// addresses resolves host and keeps what r lets be dialled. The error wraps ErrRefused when nothing is left.
func (c *Client) addresses(ctx context.Context, r rules, host string) ([]netip.Addr, error) {
	found, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var good []netip.Addr
	for _, a := range found {
		if a = a.Unmap(); r.address(host, a) && len(good) < maxAddresses { // a mapped address is dialled as IPv4
			good = append(good, a)
		}
	}
	if len(good) == 0 {
		return nil, refused("%s has no public address", host)
	}
	return good, nil
}

// dial connects for the direct transport.
func (c *Client) dial(ctx context.Context, _, hostPort string) (net.Conn, error) {
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	return c.dialBy(ctx, c.rules, host, port)
}

// dialNamed connects for the transport of named addresses, which nothing else uses: a connection kept, or one under way, would
// serve whoever asks for the same host and port.
func (c *Client) dialNamed(ctx context.Context, _, hostPort string) (net.Conn, error) {
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	return c.dialBy(ctx, c.rules.including(host), host, port)
}

// dialBy resolves the name, checks the addresses and dials one of those.
func (c *Client) dialBy(ctx context.Context, r rules, host string, port uint16) (net.Conn, error) {
	if c.offline {
		return nil, ErrOffline
	}
	list := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		if !r.address(host, a) {
			return nil, refused("%s is not a public address", a)
		}
		list = append(list, a)
	} else if list, err = c.addresses(ctx, r, host); err != nil {
		return nil, unreachable(err)
	}
	return c.first(ctx, list, port)
}

// first connects to the first address that answers.
func (c *Client) first(ctx context.Context, list []netip.Addr, port uint16) (net.Conn, error) {
	var failed error
	for _, a := range list {
		conn, err := c.connect(ctx, netip.AddrPortFrom(a, port))
		if err == nil {
			return conn, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, unreachable(failed)
}

// dialProxy connects to the proxy of the request, which the configuration or the system named: no rules apply.
func (c *Client) dialProxy(ctx context.Context, _, hostPort string) (net.Conn, error) {
	if c.offline {
		return nil, ErrOffline
	}
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	list := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		list = append(list, a)
	} else if list, err = c.resolve(ctx, host); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProxy, err)
	}
	conn, err := c.first(ctx, list, port)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProxy, err)
	}
	return conn, nil
}

func splitHostPort(s string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return plainHost(host), uint16(n), err
}

// unreachable marks what the network said, keeping errors that have a meaning of their own.
func unreachable(err error) error {
	if err == nil {
		err = errors.New("no address")
	}
	for _, known := range []error{ErrRefused, ErrOffline, ErrProxy, ErrProxyAuth, ErrPAC, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	var identity *tls.CertificateVerificationError
	if errors.As(err, &identity) {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
