// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// business is a document of the kind that is signed: a register of payments with a default namespace, a few attributes
// and Russian text.
func business(size int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<reg:Register xmlns:reg=\"urn:example:register:1\" " +
		"xmlns=\"urn:example:payment:1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "  <reg:Payment Id=\"p%d\" xsi:type=\"PaymentType\" date=\"2026-03-%02d\">\n"+
			"    <Payer inn=\"77%08d\" kpp=\"770101001\">\n      <Name>ООО «Ромашка &amp; Ко» № %d</Name>\n    </Payer>\n    <Sum currency=\"RUB\">%d.%02d</Sum>\n"+
			"    <Purpose>Оплата по договору поставки № %d от 12 марта 2026 года, НДС не облагается</Purpose>\n"+
			"    <Paid/>\n  </reg:Payment>\n",
			i, 1+i%28, i*7919%100000000, i, i*131%1000000, i%100, i)
	}
	b.WriteString("</reg:Register>\n")
	return b.Bytes()
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		doc := business(size << 20)
		b.Run(fmt.Sprintf("%dMiB", size), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				r := NewReader(bytes.NewReader(doc), Limits{})
				for {
					if _, err := r.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
