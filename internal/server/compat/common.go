// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"persten/proto"
)

// canonical is the canonicalization NCALayer's XML signatures have.
const canonical = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

// wrapped is the length of lines in the base64 of commonUtils' XML signatures; those of basics have none, because portals
// parse them again and lose white space.
const wrapped = 76

// commonAnswer is an answer of the module commonUtils.
type commonAnswer struct {
	Code    string          `json:"code"`
	Message string          `json:"message,omitempty"`
	Object  any             `json:"responseObject,omitempty"`
	UUID    json.RawMessage `json:"uuid,omitempty"`
}

// failed is the answer for an error. Only the person's no has a name of its own there.
func (p *page) failed(err error) commonAnswer {
	a := commonAnswer{Code: "500"}
	switch {
	case declined(err):
		a.Message = "action.canceled"
	case errors.Is(err, errNotImplemented):
		a.Message = err.Error()
	default:
		a.Message = p.sentences(err)
	}
	return a
}

// common answers a request to the module commonUtils, whose arguments have places and no names.
func (p *page) common(ctx context.Context, method string, raw json.RawMessage) commonAnswer {
	do, ok := commonMethods[method]
	if !ok {
		return p.failed(errNotImplemented)
	}
	var args arguments
	if len(raw) > 0 && json.Unmarshal(raw, &args) != nil {
		return p.failed(invalid("args", "must be an array"))
	}
	object, err := do(p, ctx, args)
	if err != nil {
		return p.failed(err)
	}
	return commonAnswer{Code: "200", Object: object}
}

// commonMethods are the methods that work. The ones that name a file of the computer do not: a page never does.
var commonMethods = map[string]func(*page, context.Context, arguments) (any, error){
	"getActiveTokens":              (*page).activeTokens,
	"getKeyInfo":                   (*page).keyInfo,
	"changeLocale":                 (*page).changeLocale,
	"createCAdESFromBase64":        (*page).createCAdES,
	"createCAdESFromBase64Hash":    (*page).createCAdESOfHash,
	"createCMSSignatureFromBase64": (*page).createCMS,
	"signXml":                      (*page).signXML,
	"signXmls":                     (*page).signXMLs,
}

// arguments are positional.
type arguments []json.RawMessage

// text is argument n.
func (a arguments) text(n int) (s string, err error) {
	if n >= len(a) || len(a[n]) == 0 || a[n][0] != '"' || json.Unmarshal(a[n], &s) != nil {
		return "", invalid(argument(n), "must be a string")
	}
	return s, nil
}

// optional is argument n, "" when it is not there.
func (a arguments) optional(n int) (string, error) {
	if n >= len(a) || string(a[n]) == "null" {
		return "", nil
	}
	return a.text(n)
}

// flag is argument n as a boolean, which some pages write as a string.
func (a arguments) flag(n int) (b bool, err error) {
	if n >= len(a) {
		return false, nil
	}
	if s, err := a.text(n); err == nil {
		return strings.EqualFold(s, "true"), nil
	}
	if json.Unmarshal(a[n], &b) != nil {
		return false, invalid(argument(n), "must be true or false")
	}
	return b, nil
}

func argument(n int) string { return "args[" + string(rune('0'+n)) + "]" }

// bytes is argument n, base64.
func (a arguments) bytes(n int) ([]byte, error) {
	s, err := a.text(n)
	if err != nil {
		return nil, err
	}
	return unbase64(s, argument(n))
}

// unbase64 decodes what pages send, line breaks and all.
func unbase64(s, field string) ([]byte, error) {
	d, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(d) == 0 {
		return nil, invalid(field, "must be base64 of something")
	}
	return d, nil
}

// key reads the two first arguments, storage and key type.
func (a arguments) key() (w wanted, err error) {
	storage, err := a.text(0)
	if err != nil {
		return w, err
	}
	kind, err := a.text(1)
	w.storages = []string{storage}
	switch kind {
	case "SIGNATURE":
		w.purposes = []string{purposeSignature}
	case "AUTHENTICATION":
		w.purposes = []string{purposeAuthentication}
	}
	return w, err
}

// activeTokens names the kinds of tokens that are plugged in. Those without a name of their own go under one that pages know.
func (p *page) activeTokens(ctx context.Context, _ arguments) (any, error) {
	var list proto.TokensListResult
	if err := p.link.Call(ctx, proto.MethodTokensList, proto.TokensListParams{}, &list); err != nil {
		return nil, err
	}
	names := []string{}
	for _, t := range list.Tokens {
		name := storageOf(t.Label, t.Manufacturer+" "+t.Model)
		if name == "" {
			name = anyToken
		}
		if !t.Demo && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (p *page) keyInfo(ctx context.Context, a arguments) (any, error) {
	storage, err := a.text(0)
	if err != nil {
		return nil, err
	}
	c, err := p.choose(ctx, wanted{storages: []string{storage}})
	if err != nil {
		return nil, err
	}
	return infoOf(c), nil
}

func (p *page) changeLocale(ctx context.Context, a arguments) (any, error) {
	locale, err := a.text(0)
	if err != nil {
		return nil, err
	}
	return nil, p.speak(ctx, language(locale))
}

func (p *page) createCAdES(ctx context.Context, a arguments) (any, error) {
	return p.createOne(ctx, a, order{})
}

// createCMS is createCAdES with a time-stamp.
func (p *page) createCMS(ctx context.Context, a arguments) (any, error) {
	return p.createOne(ctx, a, order{stamped: true})
}

func (p *page) createCAdESOfHash(ctx context.Context, a arguments) (any, error) {
	return p.createOne(ctx, a, order{digests: true})
}

// createOne signs args[2], base64, as CMS.
func (p *page) createOne(ctx context.Context, a arguments, o order) (any, error) {
	w, err := a.key()
	if err != nil {
		return nil, err
	}
	d, err := a.bytes(2)
	if err != nil {
		return nil, err
	}
	if o.digests {
		w.digest = len(d)
	} else if o.attached, err = a.flag(3); err != nil {
		return nil, err
	}
	o.documents = [][]byte{d}
	made, err := p.chooseAndSign(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(made[0]), nil
}

func (p *page) chooseAndSign(ctx context.Context, w wanted, o order) ([][]byte, error) {
	c, err := p.choose(ctx, w)
	if err != nil {
		return nil, err
	}
	o.certificate = c.ID
	return p.sign(ctx, o)
}

func (p *page) signXML(ctx context.Context, a arguments) (any, error) {
	doc, err := a.text(2)
	if err != nil {
		return nil, err
	}
	made, err := p.xml(ctx, a, []string{doc})
	if err != nil {
		return nil, err
	}
	return made[0], nil
}

func (p *page) signXMLs(ctx context.Context, a arguments) (any, error) {
	var docs []string
	if len(a) < 3 || json.Unmarshal(a[2], &docs) != nil || len(docs) == 0 || len(docs) > maxDocs {
		return nil, invalid(argument(2), "must be an array of 1 to 1000 strings")
	}
	return p.xml(ctx, a, docs)
}

// xml signs documents, enveloped. Signing an element found by XPath is not done.
func (p *page) xml(ctx context.Context, a arguments, docs []string) ([]string, error) {
	w, err := a.key()
	if err != nil {
		return nil, err
	}
	for n := 3; n < 5; n++ {
		if path, err := a.optional(n); err != nil || path != "" {
			return nil, invalid(argument(n), "must be empty: only whole documents are signed")
		}
	}
	o := order{xml: &proto.BatchXML{C14N: canonical, Columns: wrapped}}
	for _, d := range docs {
		o.documents = append(o.documents, []byte(d))
	}
	made, err := p.chooseAndSign(ctx, w, o)
	return texts(made), err
}

func texts(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}
