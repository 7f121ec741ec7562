// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import "cmp"

// The descriptors of the process are everybody's: as many sockets as ipc lets in at a time, tokens and prompts need some,
// whatever pages send.
const (
	otherDescriptors = 1024
	perContent       = 2     // while it is written
	mostContents     = 16384 // whatever the system allows
	fewContents      = 64    // of a site that signs no batch
)

// mayOpen is how many contents fit beside everything else.
func mayOpen(descriptors int) int {
	return min(mostContents, max(fewContents, (descriptors-otherDescriptors)/perContent))
}

// crowded tells that owner gets no further content. Owners with many share half of what there is, so that the documents of
// batches leave room for everybody else's. The caller holds s.mu.
func (s *Store) crowded(owner string) bool {
	open := int(s.inline.Load() / s.inlineLeast()) // at least as many as lie in memory
	has := 0
	for channel, sh := range s.channels {
		open += len(sh.contents)
		if cmp.Or(sh.owner, channel) == owner {
			has += len(sh.contents)
		}
	}
	if has >= fewContents {
		return open >= s.most/2
	}
	return open >= s.most
}
