// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"context"
	"time"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/proto"
)

// TestText is all that a test signature ever signs. It is fixed, so that no test can be taken for a document.
const TestText = "Тестовая подпись Persten. Юридической силы не имеет.\nPersten test signature. No legal force.\n"

// testName is what the window calls it.
const testName = "persten-test.txt"

// Test tries a certificate: the person is asked as for every signature, in a window that says it is a test, [TestText] is signed
// and the signature verified. It does not leave the engine.
func (e *Engine) Test(ctx context.Context, who Caller, certificate string) (*proto.SignTestResult, error) {
	key, err := e.find(ctx, certificate)
	if err != nil {
		return nil, err
	}
	content, done, err := e.store.Inline(who.Channel, []byte(TestText))
	if err != nil {
		return nil, err
	}
	defer done()
	var signature bytes.Buffer
	var alg algo.ID
	made, err := e.sign(ctx, who, order{
		method: proto.MethodSignTest, kind: KindTest, certificate: certificate, content: content,
		name: testName, mime: "text/plain",
		describe: func(q *Question) {
			q.Attached, q.Profile, q.CMS = true, string(cms.ProfileBES), &CMSForm{Profile: cms.ProfileBES}
		},
		encode: func(ctx context.Context, s cms.Signer, at time.Time, digest []byte) error {
			alg = s.Algorithm()
			return cms.Sign(ctx, &signature, content.Reader(), s, cms.Options{Profile: cms.ProfileBES, Attached: true, SigningTime: at, Digest: digest})
		},
	})
	if err != nil {
		return nil, err
	}
	report, err := e.VerifyCMS(ctx, &signature, nil)
	if err != nil {
		return nil, err
	}
	return &proto.SignTestResult{
		Digest: made.Document.Digest, DigestAlg: made.Document.Alg, Algorithm: string(alg), Time: made.Time,
		Certificate: e.Listed([]token.Key{key}, true, time.Now())[0], Report: *Reported(report, who.Lang),
	}, nil
}
