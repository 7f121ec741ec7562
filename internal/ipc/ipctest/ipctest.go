// SPDX-License-Identifier: GPL-3.0-or-later

// Package ipctest makes WebSocket handshakes that the agent must refuse: what a web page, a rebound name, another program's
// proxy or a broken client may come up with in Origin, Host and the rest of the request.
package ipctest

import (
	"bufio"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The origin that [Server.Right] names, and an extension's id that some forgeries are close to.
const (
	Approved  = "https://portal.example:8443"
	Extension = "abcdefghijklmnopabcdefghijklmnop"
)

// Handshake is a request to open a WebSocket, line by line.
type Handshake struct {
	Line    string
	Host    []string
	Origin  []string
	Headers []string
}

// Server is a listener of the agent to send handshakes to.
type Server struct {
	Addr    string      // IP and port
	TLS     *tls.Config // of a client; nil: plain
	Foreign bool        // it speaks another program's protocol, which has no name in handshakes
}

// Right returns the handshake that the agent accepts from [Approved].
func (s Server) Right() Handshake {
	h := Handshake{
		Line: "GET / HTTP/1.1", Host: []string{s.Addr}, Origin: []string{Approved},
		Headers: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if !s.Foreign {
		h.Headers = append(h.Headers, "Sec-WebSocket-Protocol: persten.v1")
	}
	return h
}

// String returns the handshake as it is sent.
func (h Handshake) String() string {
	var b strings.Builder
	b.WriteString(h.Line + "\r\n")
	for _, v := range h.Host {
		b.WriteString("Host: " + v + "\r\n")
	}
	for _, v := range h.Origin {
		b.WriteString("Origin: " + v + "\r\n")
	}
	for _, v := range h.Headers {
		b.WriteString(v + "\r\n")
	}
	return b.String() + "\r\n"
}

// Forged returns n handshakes, no two the same, of which the agent must accept none. The first ones differ from [Server.Right]
// in one thing each, and are there whatever n is; variants is how many of those are in Origin or Host. The others are a sample of all
// combinations, the same each time.
func (s Server) Forged(n int) (requests []string, variants int) {
	_, port, _ := net.SplitHostPort(s.Addr)
	origins, hosts, shapes := Origins(port), Hosts(s.Addr), s.shapes()
	seen := map[string]bool{}
	add := func(h Handshake) {
		if r := h.String(); !seen[r] {
			seen[r] = true
			requests = append(requests, r)
		}
	}
	for _, o := range origins {
		h := s.Right()
		h.Origin = o
		add(h)
	}
	for _, v := range hosts {
		h := s.Right()
		h.Host = v
		add(h)
	}
	variants = len(requests)
	for _, h := range shapes {
		add(h)
	}
	random := rand.New(rand.NewPCG(1, 24117))
	for len(requests) < n {
		h := shapes[random.IntN(len(shapes))]
		if random.IntN(2) == 0 {
			h = s.Right()
		}
		h.Origin, h.Host = origins[random.IntN(len(origins))], hosts[random.IntN(len(hosts))]
		if random.IntN(4) == 0 {
			h.Host = []string{s.Addr}
		}
		add(h)
	}
	return requests, variants
}

// Send sends one handshake on a connection of its own. It returns the status of the answer, 0 when the other side just closed.
func (s Server) Send(request string) (int, error) {
	c, err := net.Dial("tcp4", s.Addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if s.TLS != nil {
		c = tls.Client(c, s.TLS)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(request)); err != nil {
		return 0, nil
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, nil
	}
	r.Body.Close()
	return r.StatusCode, nil
}

// SendAll sends requests, eight at a time, and counts the statuses.
func (s Server) SendAll(requests []string) (map[int]int, error) {
	var mu sync.Mutex
	var failed error
	statuses := map[int]int{}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(requests); i = next.Add(1) - 1 {
				status, err := s.Send(requests[i])
				mu.Lock()
				statuses[status]++
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return statuses, failed
}

// hosts are names an attacker would like the agent to take for an Approved or our own one.
func hosts(good, port string) []string {
	return []string{
		"", " ", "null", "*", good + ".", "." + good, good + "..", strings.ToUpper(good), strings.ToUpper(good[:1]) + good[1:],
		"evil" + good, "evil-" + good, "evil." + good, good + ".evil.example", good + "-evil.example", good[1:], good + "_x",
		"evil.example", "user@" + good, "user:pw@" + good, good + "@evil.example", "evil.example#" + good, "evil.example?" + good,
		"evil.example/" + good, `evil.example\` + good, good + "/", good + "/path", good + "?q", good + "#f", good + "%00", good + "%2e",
		strings.ReplaceAll(good, ".", "。"), strings.ReplaceAll(good, ".", "．"), strings.ReplaceAll(good, ".", "%2e"), strings.ReplaceAll(good, "a", "ａ"),
		strings.ReplaceAll(good, "o", "о"), strings.ReplaceAll(good, "l", "ı"), good + "\u200b", "\ufeff" + good, good[:3] + "\u200d" + good[3:], good[:2] + "\t" + good[2:],
		good + "\x00", good + "\x00.evil.example", good + "\x7f", good + ";", good + ",", good + " ", good + ":",
		"localhost", "localhost.", "a.localhost", "127.0.0.1.nip.example", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.1",
		"127.0.0.1", "127.0.0.1.", "127.0.0.2", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1%25lo]", "[fe80::1%lo]", "::1",
		"localhost:" + port, "127.0.0.2:" + port, "0.0.0.0:" + port, "[::1]:" + port, "[::ffff:127.0.0.1]:" + port, "2130706433:" + port, "127.1:" + port,
		"xn--portal-.example", "портал.example", "xn--80a.example", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example", strings.Repeat("x", 8<<10),
	}
}

// Origins are the Origin headers of handshakes that must be refused, each as the values it has in one handshake; port is the agent's.
func Origins(port string) [][]string {
	var all [][]string
	add := func(o string) {
		if strings.Trim(o, " \t") != Approved { // HTTP takes outer blanks off a value: that would be the Approved origin
			all = append(all, []string{o})
		}
	}
	all = append(all, nil, []string{Approved, Approved}, []string{Approved, "https://evil.example"}, []string{"https://evil.example", Approved}, []string{"", Approved}, []string{Approved, "null"})
	for _, o := range []string{"", "null", "NULL", "undefined", "about:blank", Approved + "," + Approved, Approved + ", https://evil.example",
		"https://evil.example " + Approved, Approved + " https://evil.example", Approved + "\r\n\tx", Approved + "\r\n https://evil.example", "\"" + Approved + "\"", "<" + Approved + ">",
		"https:portal.example:8443", "https:/portal.example:8443", "//portal.example:8443", "portal.example:8443", "portal.example", "://portal.example:8443", "https:///portal.example:8443"} {
		add(o)
	}
	for _, scheme := range []string{"http", "https", "HTTPS", "Https", "ws", "wss", "file", "blob", "data", "ftp", "javascript", "filesystem", "chrome", "about",
		"chrome-extension", "moz-extension", "safari-web-extension", "view-source:https", "blob:https", " https", "\thttps", "https\x00", "h\u0442tps"} {
		for _, host := range []string{"portal.example:8443", "portal.example", "evil.example", Extension[1:] + "b", Extension} {
			if o := scheme + "://" + host; o != Approved && o != "chrome-extension://"+Extension {
				add(o)
			}
		}
	}
	for _, p := range []string{"", ":443", ":80", ":0", ":08443", ":+8443", ":-8443", ":65536", ":73979", ":84430", ":844", ":8443:8443", ":8443 ", ":٨٤٤٣", ":8443/", ":8443/a", ":8443?", ":8443#", ":", ":x", ":" + port} {
		add("https://portal.example" + p)
	}
	for _, h := range hosts("portal.example", port) {
		for _, o := range []string{"https://" + h, "https://" + h + ":8443", "http://" + h, "http://" + h + ":8000", "http://" + h + ":" + port} {
			if o != "http://127.0.0.1:8000" {
				add(o)
			}
		}
	}
	return all
}

// Hosts are the Host headers of handshakes that an agent listening on addr must refuse, in the same form.
func Hosts(addr string) [][]string {
	_, port, _ := net.SplitHostPort(addr)
	all := [][]string{nil, {addr, addr}, {addr, "evil.example"}, {"evil.example", addr}, {"portal.example:8443"}, {"http://" + addr}, {addr + "0"}, {"127.0.0.1:80"}, {"127.0.0.1:0" + port}, {"127.0.0.1:"}}
	for _, h := range hosts("127.0.0.1", port) {
		if strings.TrimSpace(h) != h { // HTTP takes outer blanks off a value
			continue
		}
		all = append(all, []string{h})
		if h != "127.0.0.1" {
			all = append(all, []string{h + ":" + port})
		}
	}
	return all
}

// shapes change something else than names.
func (s Server) shapes() []Handshake {
	var all []Handshake
	with := func(change func(*Handshake)) {
		h := s.Right()
		h.Headers = slices.Clone(h.Headers)
		change(&h)
		all = append(all, h)
	}
	for _, line := range []string{"GET / HTTP/1.0", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET /", "POST / HTTP/1.1", "PUT / HTTP/1.1", "HEAD / HTTP/1.1", "OPTIONS / HTTP/1.1", "CONNECT / HTTP/1.1",
		"get / HTTP/1.1", "GET http://" + s.Addr + "/ HTTP/1.1", "GET ws://" + s.Addr + "/ HTTP/1.1", "GET http://evil.example/ HTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1",
		"GET // HTTP/1.1", "GET /x HTTP/1.1", "GET /? HTTP/1.1", "GET /?a HTTP/1.1", "GET /./ HTTP/1.1", "GET /../ HTTP/1.1", "GET /%2f HTTP/1.1", "GET /health HTTP/1.1", "GET //evil.example/ HTTP/1.1", "CONNECT " + s.Addr + " HTTP/1.1"} {
		with(func(h *Handshake) { h.Line = line })
	}
	for _, extra := range []string{"X-Forwarded-Host: " + s.Addr, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Forwarded: host=" + s.Addr, "Via: 1.1 proxy",
		"Content-Length: 4", "Content-Length: -1", "Content-Length: 4\r\nContent-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4",
		"Transfer-Encoding: identity, chunked", "Transfer-Encoding: x", "Host: evil.example", "Origin: null", "ORIGIN: https://evil.example", "Origin : " + Approved,
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Protocol: other", " folded: x", "X: " + strings.Repeat("x", 16<<10)} {
		with(func(h *Handshake) { h.Headers = append(h.Headers, extra) })
	}
	for i := range s.Right().Headers {
		with(func(h *Handshake) { h.Headers = slices.Delete(h.Headers, i, i+1) })
		with(func(h *Handshake) { h.Headers[i] = strings.Split(h.Headers[i], ":")[0] + ": x" })
	}
	return all
}
