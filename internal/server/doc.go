// SPDX-License-Identifier: GPL-3.0-or-later

// Package server is the agent's API over rpc: it decodes strictly, checks who may call what, calls the engine and turns
// errors into their wire form. It is the last room that knows JSON and the first that knows methods.
//
// Every connection (a page's channel, a command, the tray) is served by one value that holds its Caller; the audience is
// decided by how the connection came in, never by what it says. A page needs its origin allowed for every method; methods
// marked x-audience local are refused to pages whatever way they come. A Server is safe for concurrent use.
//
// # Content
//
// A small document inside a request lies in sealed memory (16 MiB for all, then on disk). A larger one comes in pieces and is
// spooled to a file without a name, on disk; memory is flat whatever its size. The store knows what was announced: a piece out of
// order, more or fewer bytes end the document with a typed error and free it. A sender that stops is forgotten after an hour, by
// a timer.
//
//   - WebSocket and user socket. content.open answers with a stream number and a window of 16 MiB. Pieces are binary messages
//     (stream, offset, bytes). The goroutine that reads the connection puts them into the stream's ring and never waits for the
//     disk, so $/cancel is heard at once; a goroutine of the stream's own writes them and acknowledges each MiB with
//     content.received. A sender that goes beyond the window breaks its own document only (content.failed). Rings take 96 MiB in
//     all, those of one site or one program's connection 24: beside a stream of 16 MiB a window is 4 MiB, as it is for everybody
//     when half is in use, and who comes when nothing is left gets no stream. The number of documents is bounded in the same way:
//     sites with 64 or more, over all their connections, share half of the room.
//   - Room for the result. An attached signature of a large document, and a large XML document, have their place and their part
//     of the channel's quota before anybody is asked.
//   - What the SDK sends is a Blob: the head of a message and a slice of the File. Chromium then reads the file on its way to the
//     socket, four times faster than bytes that the page has read; each message costs some milliseconds, hence 4 MB of them and
//     the wide window. A File that changes meanwhile ends the connection; the SDK reads the next one itself.
//   - Commands do the same over the user socket, where a frame whose length has the highest bit set is a binary message. What the
//     session made comes back by content.read, four pieces of 512 KiB ahead of the one that is being written.
//   - Limits. 8 GiB a document, 20 GiB a channel, or what [content] says, in policy too: the lower counts. A document of more
//     than 1 MiB must leave 64 MiB of the spool's disk free: content_disk_full comes at content.open where the size is announced,
//     else when the room runs out.
//   - Everything else sends content.append, base64 in JSON; package rpc handles these requests in the order they came.
//   - Hashing ahead. Told the certificate (or digest) at content.open, the store hashes behind the writer: the file, in the page
//     cache, is the queue between transfer and hash. While encoding, the engine digests the sealed file once more, and signs
//     that.
package server
