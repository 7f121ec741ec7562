// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"bytes"
	"slices"

	p11 "github.com/miekg/pkcs11"
)

// shelf is a listing the child has read, while the daemon takes it page by page.
type shelf struct {
	number  uint
	objects []object
}

// objects lists the certificates of a slot that are visible without login, and keys that have none, page by page.
func (s *server) objects(p objectsParams) (*objectsReply, error) {
	if p.Listing == 0 {
		all, err := s.lib.objects(p.Slot)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.listings++
		s.shelves[p.Slot] = shelf{s.listings, all}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.shelves[p.Slot]
	if !ok || p.Listing != 0 && l.number != p.Listing || p.From < 0 || p.From > len(l.objects) {
		return nil, &reason{reasonSlotBusy, errOtherListing}
	}
	page := pageOf(l.objects[p.From:])
	if p.From+len(page) == len(l.objects) {
		delete(s.shelves, p.Slot)
	}
	return &objectsReply{Listing: l.number, Total: len(l.objects), Objects: page}, nil
}

// pageOf takes as many objects as fit in one message, at least one.
func pageOf(all []object) []object {
	size := 0
	for n := range all {
		size += all[n].size()
		if n == maxPageCount || n > 0 && size > maxPage {
			return all[:n]
		}
	}
	return append([]object{}, all...)
}

func (l *library) objects(slot uint) ([]object, error) {
	h, err := l.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, failed("C_OpenSession", err)
	}
	defer l.ctx.CloseSession(h)
	certs, err := l.find(h,
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509))
	if err != nil {
		return nil, err
	}
	keys, err := l.visibleKeys(h)
	if err != nil {
		return nil, err
	}
	known := index(keys)
	var all []object
	var broken error
	taken := map[string]bool{} // canonical public parts that a certificate has
	for _, c := range certs {
		o, err := l.certificate(h, c)
		if removed(err) {
			return nil, err
		}
		if err != nil {
			broken = err
			continue // one broken object does not hide the others
		}
		if n := known.find(o.ID, spkiOf(o.Certificate)); n >= 0 {
			o.Key, o.Type, o.Proven = true, keys[n].kind, keys[n].public != nil
			taken[string(canonical(keys[n].public))] = true
		}
		all = append(all, o)
	}
	if len(all) == 0 && broken != nil {
		return nil, broken
	}
	return append(all, l.bareKeys(h, keys, taken, maxObjects-len(all))...), nil
}

// bareKeys describes the key pairs whose certificate is not on the token.
func (l *library) bareKeys(h p11.SessionHandle, keys keyObjects, taken map[string]bool, most int) []object {
	var out []object
	for _, k := range keys {
		pub := string(canonical(k.public))
		if k.public == nil || taken[pub] || len(out) >= most {
			continue
		}
		spki, err := l.spki(h, k)
		if err != nil {
			continue // of a kind we know nothing about
		}
		taken[pub] = true
		o := object{ID: k.id, SPKI: spki, Key: true, Type: k.kind}
		if label, err := l.attribute(h, k.handle, p11.CKA_LABEL); err == nil {
			o.Label = printable(string(label))
		}
		out = append(out, o)
	}
	return out
}

func (l *library) certificate(h p11.SessionHandle, c p11.ObjectHandle) (object, error) {
	der, err := l.attribute(h, c, p11.CKA_VALUE)
	if err != nil {
		return object{}, err
	}
	o := object{Certificate: der}
	if o.ID, err = l.attribute(h, c, p11.CKA_ID); err != nil || len(o.ID) > maxObjectID {
		o.ID = nil // allowed to be missing: the key is then found by its public part
	}
	if label, err := l.attribute(h, c, p11.CKA_LABEL); err == nil {
		o.Label = printable(string(label))
	}
	return o, nil
}

// visibleKeys lists the key objects a session sees.
func (l *library) visibleKeys(h p11.SessionHandle) (keyObjects, error) {
	var all keyObjects
	for _, class := range []uint{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
		some, err := l.keys(h, class)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (l *library) keys(h p11.SessionHandle, class uint) (keyObjects, error) {
	handles, err := l.find(h, p11.NewAttribute(p11.CKA_CLASS, class))
	if err != nil {
		return nil, err
	}
	all := make(keyObjects, 0, len(handles))
	for _, o := range handles {
		k := keyObject{handle: o, class: class, kind: noType}
		if k.id, err = l.attribute(h, o, p11.CKA_ID); removed(err) {
			return nil, err
		}
		if len(k.id) > maxObjectID {
			k.id = nil
		}
		if n, ok, _ := l.number(h, o, p11.CKA_KEY_TYPE); ok {
			k.kind = n
		}
		k.public = l.publicPart(h, k)
		all = append(all, k)
	}
	return all, nil
}

// publicPart reads what identifies a key pair. Private EC and GOST keys usually keep it to themselves; CKA_VALUE of a
// private key is the secret and is never asked for.
func (l *library) publicPart(h p11.SessionHandle, k keyObject) []byte {
	var kinds []uint
	switch k.kind {
	case p11.CKK_RSA:
		kinds = []uint{p11.CKA_MODULUS}
	case p11.CKK_EC:
		kinds = []uint{p11.CKA_EC_POINT}
	case ckkGOST, ckkGOST512:
	default:
		kinds = []uint{p11.CKA_MODULUS, p11.CKA_EC_POINT}
	}
	if k.class == p11.CKO_PUBLIC_KEY && k.kind != p11.CKK_RSA && k.kind != p11.CKK_EC {
		kinds = append(kinds, p11.CKA_VALUE)
	}
	for _, kind := range kinds {
		if v, err := l.attribute(h, k.handle, kind); err == nil && len(v) > 0 {
			return v
		}
	}
	return nil
}

// privateKeys finds the private key of a certificate after login, or the few it may be in: where neither id nor public
// part decides, the daemon tries them and looks whose signature verifies. Named tells that the id alone would do.
func (l *library) privateKeys(h p11.SessionHandle, id, spki []byte) (_ keyObjects, named bool, err error) {
	private, err := l.keys(h, p11.CKO_PRIVATE_KEY)
	if err != nil {
		return nil, false, err
	}
	found := private.matches(id, spki)
	if len(found) == 0 {
		public, err := l.keys(h, p11.CKO_PUBLIC_KEY)
		if err != nil {
			return nil, false, err
		}
		if k, ok := public.match(nil, spki); ok {
			found = private.matches(k.id, spki)
		}
	}
	if len(found) == 0 {
		found = private.unnamed(spki)
	}
	if len(found) == 0 {
		return nil, false, &reason{reasonNoKey, errNoKey}
	}
	return found[:min(len(found), maxCandidates)], found.named(private, id), nil
}

// named reports whether id is that of the only key found and of no other private key.
func (ks keyObjects) named(private keyObjects, id []byte) bool {
	other := func(k keyObject) bool { return bytes.Equal(k.id, id) && k.handle != ks[0].handle }
	return len(id) > 0 && len(ks) == 1 && bytes.Equal(ks[0].id, id) && !slices.ContainsFunc(private, other)
}

// namedKey finds the private key of an id that led to it before; nil when it does not name exactly one any more.
func (l *library) namedKey(h p11.SessionHandle, id []byte) (keyObjects, error) {
	found, err := l.find(h, p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_ID, id))
	if err != nil || len(found) != 1 {
		return nil, err
	}
	return keyObjects{{handle: found[0]}}, nil
}
