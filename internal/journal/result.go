// SPDX-License-Identifier: GPL-3.0-or-later

package journal

// OK is the Result of what succeeded: a signature made, a site allowed. Any other Result is an error code.
const OK = "ok"
