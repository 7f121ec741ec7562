// SPDX-License-Identifier: GPL-3.0-or-later

// Package signing is the use case: a question, a person's answer, a key, a signature, a record.
//
// One request runs through Engine in this order: find the key, hash the sealed content, ask the person (Approver), write
// the journal's intent line and wait for the disk, unlock the key with the PIN the person typed in the same window, encode,
// verify, write the result line, show the outcome. Where policy answers, the key is unlocked while the intent goes to disk and
// locked while the result does; it signs in between, never before the intent is there. Nothing uses a key without an approval, and an approval covers exactly
// the certificate, the digests and the output parameters that stood in its Question (DESIGN, "Consent").
//
// The engine knows neither transports nor windows nor PKCS#11: callers come as Caller, people as Approver, keys as
// token.Inventory. It turns errors of token, cms and cert into proto.Error, the only errors it returns besides the
// context's own. An Engine is safe for concurrent use; requests for one token queue at the token's lease.
//
// # Choosing a certificate
//
// certificates.select takes the only certificate that fits, or asks: a question without a PIN, of a kind of its own.
//
//   - What fits is one rule after the other (signing/fit.go): what the certificate lacks by itself, then the page's filter. The
//     first unmet rule travels with the card as a code with arguments; ui puts it into words with the way out. Refused cards come
//     after the others, so an index is enough for an answer, and one beyond those that fit is refused by the engine, whatever the
//     prompt says.
//   - None fits: the window shows why, and the page gets certificate_none with the codes alone. An allowed site could list the
//     same.
//   - A natural person for an organization. Fits without the organization's numbers when the filter names person; the card says
//     that a power of attorney (MChD) is needed. Persten does not look for the power itself.
//   - What is remembered (signing/known.go): certificates with label and serial of their tokens, and what was chosen last at a
//     site. Both are bounded. The last choice is marked, never taken.
//   - A token that is not there. A certificate seen before can be asked for without its token: the key of the question is a
//     stand-in (absentKey) with the certificate, which is what an approval binds. After the yes Engine.inserted waits for the
//     real key of the same certificate, half an hour at most; then the PIN is asked for and the approval is fresh again. Where
//     nobody can be told which token to plug in (no window, policy), the answer is certificate_absent at once. Key files are not
//     waited for.
//
// # Batches
//
// sign.batch is one question, one PIN and one lease for up to 1,000 documents. The window lists them all with search; the prompt
// process gets the descriptor of a document when the person opens it, once, because a message carries at most 253. The approval
// covers each item once. The 120 s count to the first use of the key; after that the approval lasts as long as the batch.
//
// An absent content refuses the whole request before the question. After the yes a document that changed, or whose signature
// finds no room, fails alone and the others go on, because the person wants them signed and the account names the failed ones.
// Token, PIN, journal and an approval grown old end the batch at the first failure: every further item would fail the same way,
// or spend an attempt. A cancelled batch begins nothing more; what the token is making then is still taken, so the account is
// exact. It is the method's result; an error means that nothing was signed.
//
// The journal gets one fsynced line for 64 items before the first of them is signed and one after the last; the line of the next
// group is written while a group is signed. A result line that is not ok names the items that were signed. Signatures go out
// before their group's result line, never before its intent.
//
// Workers sign, check and encode side by side (token.Parallel). In the module child up to four PKCS#11 sessions of the one login
// sign at once, opened only when wanted; a token that has no more to give keeps to what it has. Quick signatures share calls to
// the child (at most 16, about 10 ms of work), slow ones do not, so that a stop is soon. A signature of a batch is checked once,
// by the token's session; the encoder does not check it again. A key that asks for the PIN before each signature keeps to one
// session, with the PIN in the module's locked page until Close; after the first wrong one the child wipes it and tries no more.
// The question says so, for every key, because the attribute can be read only after the login.
//
// # Signing without a person
//
// [[unattended]] of the machine policy grants signatures in advance: to a site or to an operating-system user, with one
// certificate, so many an hour or a day. signing.Unattended is the Approver placed before the window.
//
//   - What is granted. Only questions of kind sign. A site's grant counts when its page is its own top; over the WebSocket the
//     top is unknown (THREATS). A user's grant counts on the user socket alone, never for a page. Everything else goes to the
//     person as ever. If two grants cover one request, the first one counts.
//   - Over the limit the answer is unattended_limit, and no window opens, not on a desktop either. On a server nobody would see
//     it; at a desktop the limit is the brake for a page that runs wild, and a click given out of habit would release it just
//     then. The same holds when the PIN is not to be had. A refusal is journalled once a minute for each grant, so that it fills
//     nothing.
//   - Side by side. Where policy answers, the key is unlocked while the intent is written, and used only when that is on disk;
//     logout and result go side by side, and the answer waits for both. The module looks at the token right before each login.
//   - Pause also stops signatures without a person, those that wait for their turn and a batch under way among them.
//   - Counting. A use is counted before the key is touched, also one that then fails. Windows slide. At start the last 24 hours
//     are read from the journal's end and their chain is checked; a journal that was cut or changed ends all grants of the
//     session.
//   - No queue. Such requests take no place at the desk: a person's open window holds none of them up. At most 64 of one grant
//     wait; the token's lease lets one of them sign.
//   - The PIN comes from pin_file, opened for each login: a plain file, no link, of this user or root, mode 0400 or 0600, one
//     line. It goes from a locked page into a pipe; here the session's process does touch a PIN. One login at a time uses one
//     file's PIN, and a caller who goes away does not cut it short, so a wrong PIN is tried once. After that, on a last try and
//     on a locked token, grants with this file stop until the file is changed (time or size) and the session is started anew. The
//     stop is kept in the state folder, so that a service in a restart loop spends no attempts. Keypads are refused.
package signing
