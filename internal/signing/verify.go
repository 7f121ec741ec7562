// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"io"

	"persten/internal/cms"
	"persten/proto"
)

// VerifyCMS checks a CMS signature; content is nil when it is attached. A signature that does not hold is a report, not an
// error; errors mean that there is nothing to report on.
func (e *Engine) VerifyCMS(ctx context.Context, signature, content io.Reader) (*cms.Report, error) {
	if content != nil {
		content = &reading{ctx, content}
	}
	report, err := cms.Verify(&reading{ctx, signature}, content, e.trust())
	switch {
	case errors.Is(err, cms.ErrNoContent):
		return nil, proto.E(proto.CodeContentRequired, err)
	case errors.Is(err, cms.ErrFormat), errors.Is(err, cms.ErrLimit):
		return nil, proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
	case err != nil:
		return nil, fault(err)
	}
	return report, nil
}
