// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
)

// The audiences of methods.
const (
	AudiencePage  = "page"  // allowed sites, and local callers
	AudienceLocal = "local" // programs of the same user, never pages
)

// handler is how one method is read and called.
type handler struct {
	audience string
	params   string // name of the parameters' schema
	call     func(ctx context.Context, s Server, h handler, params []byte) (any, error)
}

func call[P, R any](method func(Server, context.Context, P) (*R, error)) func(context.Context, Server, handler, []byte) (any, error) {
	return func(ctx context.Context, s Server, h handler, params []byte) (any, error) {
		var p P
		if err := decode(h.params, params, &p); err != nil {
			return nil, err
		}
		r, err := method(s, ctx, p)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, E(CodeInternal, errors.New("the server returned neither result nor error"))
		}
		complete(reflect.ValueOf(r).Elem())
		return r, nil
	}
}

// complete makes nil lists and maps empty: the schema promises an array or an object, never null. Optional ones stay nil
// and so stay absent.
func complete(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[Problem]().PkgPath() {
			return
		}
		for i := range v.NumField() {
			f := v.Field(i)
			if strings.Contains(v.Type().Field(i).Tag.Get("json"), ",omit") && f.IsZero() {
				continue
			}
			switch {
			case f.Kind() == reflect.Slice && f.IsNil():
				f.Set(reflect.MakeSlice(f.Type(), 0, 0))
			case f.Kind() == reflect.Map && f.IsNil():
				f.Set(reflect.MakeMap(f.Type()))
			default:
				complete(f)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				complete(v.Index(i))
			}
		}
	case reflect.Pointer:
		complete(v.Elem())
	}
}

// Audience returns who may call a method: [AudiencePage] or [AudienceLocal]; ok is false when there is no such method.
func Audience(method string) (audience string, ok bool) {
	h, ok := handlers[method]
	return h.audience, ok
}

// Dispatch reads params strictly and calls the method on s. Absent params are an empty object. Errors from reading are of
// type *Error; those of s pass through untouched. The result is a pointer to the method's result type.
func Dispatch(ctx context.Context, s Server, method string, params []byte) (any, error) {
	if field, found := SecretMember(params); found {
		return nil, E(CodeRequestSecret, nil, "field", field)
	}
	h, ok := handlers[method]
	if !ok {
		return nil, E(CodeRequestUnknownMethod, nil, "method", clip(method))
	}
	if len(bytes.TrimSpace(params)) == 0 {
		params = []byte("{}")
	}
	return h.call(ctx, s, h, params)
}
