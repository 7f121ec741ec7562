// SPDX-License-Identifier: GPL-3.0-or-later

package signing

// descriptors is how many this process may have open: the system has no such limit, memory has.
func descriptors() int { return 1 << 20 }
