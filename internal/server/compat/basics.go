// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"

	"persten/proto"
)

// basicsAnswer is an answer of the module basics. A person's no is a yes with nothing in it.
type basicsAnswer struct {
	Status  bool        `json:"status"`
	Code    string      `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
	Details string      `json:"details,omitempty"`
	Body    *basicsBody `json:"body,omitempty"`
}

type basicsBody struct {
	Result any `json:"result,omitempty"`
}

// outputWithCertificate is a result when the page wants the certificate too.
type outputWithCertificate struct {
	Signatures  []string `json:"signatures"`
	Certificate string   `json:"certificate"`
}

// refused is the answer for an error.
func (p *page) refused(err error, code string) basicsAnswer {
	if declined(err) {
		return basicsAnswer{Status: true, Body: &basicsBody{}}
	}
	if errors.Is(err, errNotImplemented) {
		return basicsAnswer{Code: "INVOCATION_ERROR", Message: err.Error()}
	}
	s := p.text(err)
	return basicsAnswer{Code: code, Message: s.What, Details: s.Next}
}

// basics answers a request to the module basics, whose arguments have names.
func (p *page) basics(ctx context.Context, method string, raw json.RawMessage) basicsAnswer {
	if method != "sign" {
		return p.refused(errNotImplemented, "")
	}
	var r signRequest
	if err := json.Unmarshal(raw, &r); err != nil {
		return p.refused(invalid("args", "have members of other types"), "INVOCATION_ERROR")
	}
	w, o, err := r.order()
	if err != nil {
		return p.refused(err, "INVALID_SIGNING_PARAMS")
	}
	if r.Locale != "" {
		if err := p.speak(ctx, language(r.Locale)); err != nil {
			return p.refused(err, "GENERAL_ERROR")
		}
	}
	c, err := p.choose(ctx, w)
	if err != nil {
		return p.refused(err, "SIGNING_FAILURE")
	}
	o.certificate = c.ID
	made, err := p.sign(ctx, o)
	if err != nil {
		return p.refused(err, "SIGNING_FAILURE")
	}
	return basicsAnswer{Status: true, Body: &basicsBody{r.result(made, c)}}
}

// signRequest are the arguments of sign.
type signRequest struct {
	Storages []string   `json:"allowedStorages"`
	Format   string     `json:"format"`
	Data     oneOrMore  `json:"data"`
	Signing  signParams `json:"signingParams"`
	Signer   struct {
		Purposes []string `json:"extKeyUsageOids"`
		IIN      string   `json:"iin"`
		BIN      string   `json:"bin"`
		Serial   string   `json:"serialNumber"`
		Chain    []string `json:"chain"`
	} `json:"signerParams"`
	Locale string `json:"locale"`
}

type signParams struct {
	Decode      bool            `json:"decode"`
	Encapsulate bool            `json:"encapsulate"`
	Digested    bool            `json:"digested"`
	TSAProfile  json.RawMessage `json:"tsaProfile"`
	OutputCert  bool            `json:"outputCert"`
}

// oneOrMore is a string or an array of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*o = make(oneOrMore, 1)
		return json.Unmarshal(b, &(*o)[0])
	}
	return json.Unmarshal(b, (*[]string)(o))
}

// order is what the page wants, in our terms.
func (r signRequest) order() (w wanted, o order, err error) {
	w = wanted{storages: r.Storages, purposes: r.Signer.Purposes, iin: r.Signer.IIN, bin: r.Signer.BIN, serial: r.Signer.Serial}
	if w.chain, err = r.chain(); err != nil {
		return w, o, err
	}
	if n := len(r.Data); n == 0 || n > maxDocs {
		return w, o, invalid("data", "must be 1 to 1000 documents")
	}
	s := r.Signing
	switch r.Format {
	case "cms":
		o = order{attached: s.Encapsulate && !s.Digested, digests: s.Digested, stamped: len(s.TSAProfile) > 0 && string(s.TSAProfile) != "null"}
	case "xml":
		o = order{xml: &proto.BatchXML{C14N: canonical}}
	default:
		return w, o, invalid("format", "must be cms or xml")
	}
	for _, text := range r.Data {
		d := []byte(text)
		if s.Decode || o.digests {
			if d, err = unbase64(text, "data"); err != nil {
				return w, o, err
			}
		}
		o.documents = append(o.documents, d)
	}
	if o.digests {
		w.digest = len(o.documents[0])
	}
	return w, o, nil
}

// maxChain is how many acceptable issuers a page may name.
const maxChain = 32

// chain reads the certificates of acceptable issuers, PEM or base64.
func (r signRequest) chain() (list [][]byte, err error) {
	if len(r.Signer.Chain) > maxChain {
		return nil, invalid("signerParams.chain", "has too many certificates")
	}
	for _, text := range r.Signer.Chain {
		if b, _ := pem.Decode([]byte(text)); b != nil {
			list = append(list, b.Bytes)
			continue
		}
		der, err := unbase64(text, "signerParams.chain")
		if err != nil {
			return nil, err
		}
		list = append(list, der)
	}
	return list, nil
}

// result is an array always; CMS signatures are in PEM.
func (r signRequest) result(made [][]byte, c *proto.Certificate) any {
	list := texts(made)
	if r.Format == "cms" {
		for i, der := range made {
			list[i] = armored("CMS", der)
		}
	}
	if r.Signing.OutputCert {
		return outputWithCertificate{list, armored("CERTIFICATE", c.DER)}
	}
	return list
}
