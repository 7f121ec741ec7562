// SPDX-License-Identifier: MIT

// Login is an example of a portal that people log in to with their certificate: a server with nothing but Go's standard library.
// Copy what you need.
//
//	go run ./browserext/sdk/recipes/login -pages browserext/dist/demo -roots ca.pem
//
// The page asks for a challenge (POST /login/challenge), has it answered by Persten, and posts the answer (POST /login). Signatures by
// RSA and ECDSA keys are checked here; those by GOST keys, which Go does not know, by the command `persten verify login`, with
// the options after "--".
package main

import (
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	origin := flag.String("origin", "", "the portal's own origin; http://ADDRESS when empty")
	pages := flag.String("pages", "", "folder of pages to serve")
	roots := flag.String("roots", "", "certificates of trusted issuers, PEM")
	program := flag.String("persten", "persten", "the program that checks GOST signatures")
	flag.Parse()
	if err := serve(*listen, *origin, *pages, *roots, append([]string{*program}, flag.Args()...)); err != nil {
		log.Fatal(err)
	}
}

func serve(listen, origin, pages, roots string, persten []string) error {
	trusted := x509.NewCertPool()
	if roots != "" {
		pem, err := os.ReadFile(roots)
		if err != nil {
			return err
		}
		if !trusted.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificates", roots)
		}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if origin == "" {
		origin = "http://" + l.Addr().String()
	}
	mux := http.NewServeMux()
	newPortal(origin, trusted, persten).register(mux)
	if pages != "" {
		mux.Handle("GET /", http.FileServer(http.Dir(pages)))
	}
	fmt.Println(origin)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	return s.Serve(l)
}
