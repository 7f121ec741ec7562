// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"io"

	"persten/internal/cms"
	"persten/proto"
)

// VerifyCMS checks a CMS signature; content is nil when it is attached. A signature that does not hold is a report, not an
// error; errors mean that there is nothing to report on.
func (e *Engine) VerifyCMS(signature, content io.Reader) (*cms.Report, error) {
	report, err := cms.Verify(signature, content, e.trust())
	if err != nil {
		var pe *proto.Error
		if errors.As(err, &pe) {
			return nil, err
		}
		return nil, proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
	}
	return report, nil
}
