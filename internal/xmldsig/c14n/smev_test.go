// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"persten/internal/algo"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

func smev(doc []byte) ([]byte, error) {
	var out bytes.Buffer
	err := c14n.SMEV(context.Background(), &out, xml.NewReader(bytes.NewReader(doc), xml.Limits{}))
	return out.Bytes(), err
}

func TestSMEVMessages(t *testing.T) {
	dir := vectors(t, "smev", "2 digests of signed messages were not compared")
	for name, elements := range map[string]string{
		"ack-cryptopro-gost2001.xml":    `<ns1:AckTargetMessage xmlns:ns1="urn://x-artefacts-smev-gov-ru/services/message-exchange/types/basic/1.2" Id=`,
		"send-request-is2-gost2001.xml": `<ns1:SenderProvidedRequestData xmlns:ns1="urn://x-artefacts-smev-gov-ru/services/message-exchange/types/1.1" Id=`,
	} {
		doc := read(t, filepath.Join(dir, name))
		ref := signature(t, doc).references[0]
		nodes, err := ref.nodes(-1)
		if err != nil {
			t.Fatal(err)
		}
		exclusive, _, err := canonical(doc, nodes, ref.method)
		if err != nil {
			t.Fatal(err)
		}
		out, err := smev(exclusive)
		if err != nil || !bytes.HasPrefix(out, []byte(elements)) {
			t.Errorf("%s: error %v, %.200q", name, err, out)
		}
		h := algo.GOST94.New()
		h.Write(out)
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != ref.digest {
			t.Errorf("%s: digest %s, want %s", name, got, ref.digest)
		}
	}
}

func TestSMEVRules(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"instructions and comments", `<?a?><e xmlns="u"><?b c?>x<!-- d --></e><!-- f -->`, `<ns1:e xmlns:ns1="u">x</ns1:e>`},
		{"empty element", `<p:e xmlns:p="u"/>`, `<ns1:e xmlns:ns1="u"></ns1:e>`},
		{"white space", "<e xmlns='u'> \n<f>\t</f> <f> x </f>&#13;</e>", `<ns1:e xmlns:ns1="u"><ns1:f></ns1:f><ns1:f> x </ns1:f></ns1:e>`},
		{"white space around a comment", "<e xmlns='u'>x<!-- --> </e>", `<ns1:e xmlns:ns1="u">x</ns1:e>`},
		{"sibling after an empty element", `<a xmlns="u"><b xmlns="v"/><c xmlns="v"/></a>`,
			`<ns1:a xmlns:ns1="u"><ns2:b xmlns:ns2="v"></ns2:b><ns3:c xmlns:ns3="v"></ns3:c></ns1:a>`},
		{"attributes", `<a xmlns="u" xmlns:q="w" xmlns:p="v" b="2" q:z="3" p:y="4" p:x="5" a="1" xmlns:unused="z"/>`,
			`<ns1:a xmlns:ns1="u" xmlns:ns2="v" xmlns:ns3="w" ns2:x="5" ns2:y="4" ns3:z="3" a="1" b="2"></ns1:a>`},
		{"one namespace, two prefixes", `<p:a xmlns:p="u" xmlns:q="u"><q:b q:c=""/></p:a>`, `<ns1:a xmlns:ns1="u"><ns1:b ns1:c=""></ns1:b></ns1:a>`},
		{"escapes", `<a xmlns="u" b="&quot;&lt;&gt;&#10;">&lt;&gt;&amp;"</a>`, `<ns1:a xmlns:ns1="u" b="&quot;&lt;>&#xA;">&lt;&gt;&amp;"</ns1:a>`},
	} {
		if got, err := smev([]byte(c.doc)); err != nil || string(got) != c.want {
			t.Errorf("%s: error %v\ngot  %s\nwant %s", c.name, err, got, c.want)
		}
	}
	if _, err := smev([]byte(`<a/>`)); !errors.Is(err, c14n.ErrUnsupported) {
		t.Errorf("element without a namespace: error %v", err)
	}
	if _, err := smev([]byte(`<a xmlns="u">` + strings.Repeat(" ", 2<<20) + `</a>`)); !errors.Is(err, c14n.ErrLimit) {
		t.Errorf("2 MiB of white space: error %v", err)
	}
}

// TestSMEVPieces reads byte by byte: where text is cut must not matter.
func TestSMEVPieces(t *testing.T) {
	doc := "<a xmlns='u'>  x&#13; <b>   </b> &lt;  <![CDATA[ ]]>  </a>"
	want, err := smev([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = c14n.SMEV(context.Background(), &out, xml.NewReader(iotest.OneByteReader(strings.NewReader(doc)), xml.Limits{}))
	if err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("error %v\ngot  %s\nwant %s", err, out.Bytes(), want)
	}
}
