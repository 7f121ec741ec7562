#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Signs a file through Persten's user socket, with Python's standard library alone.

    python3 persten.py status
    python3 persten.py certificates
    python3 persten.py sign CERTIFICATE DOCUMENT SIGNATURE

The socket speaks JSON-RPC 2.0; each message has its length before it, four bytes in the machine's byte order, and the first
message names the role. Methods and errors are in proto/API.md. Persten asks the person, or its policy, before each signature: no PIN goes through this program.
"""
import base64
import json
import os
import socket
import struct
import sys

INLINE = 256 * 1024  # a larger document goes in pieces
PIECE = 512 * 1024


class Refused(Exception):
    """An answer that says no. Programs look at code, people read the text and what to do next."""

    def __init__(self, error):
        data = error.get("data") or {}
        self.code = data.get("code", "internal")
        super().__init__("%s: %s %s" % (self.code, data.get("text", error.get("message", "")), data.get("next", "")))


def socket_path():
    """Where the session of this user listens. On Windows it is the pipe \\\\.\\pipe\\persten-SID-SESSION."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or "/run/user/%d" % os.getuid()
    return os.environ.get("PERSTEN_SOCKET") or os.path.join(runtime, "persten", "session.sock")


class Persten:
    """A connection to the user's session."""

    def __init__(self, path=None, lang="ru"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path or socket_path())
        self.number = 0
        self._send({"role": "local"})  # a program of the user, not a browser's native host
        self.call("agent.hello", protocol="persten.v1", lang=lang, client="persten.py")

    def close(self):
        self.socket.close()

    def call(self, method, **params):
        """Calls one method and returns its result. There is no timeout: a person may take their time."""
        self.number += 1
        self._send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while True:
            answer = self._receive()
            if answer.get("id") != self.number:
                continue  # a notification
            if "error" in answer:
                raise Refused(answer["error"])
            return answer["result"]

    def sign(self, certificate, document, name):
        """Makes a detached CAdES signature of bytes and returns it in DER."""
        if len(document) <= INLINE:
            content = {"inline": base64.b64encode(document).decode()}
        else:
            content = {"handle": self._upload(document, name)}
        result = self.call("sign.cms", certificate=certificate, content=content, name=name)
        return base64.b64decode(result["signature"]["inline"])

    def _upload(self, document, name):
        handle = self.call("content.open", name=name, size=len(document))["handle"]
        for at in range(0, len(document), PIECE):
            piece = base64.b64encode(document[at:at + PIECE]).decode()
            self.call("content.append", handle=handle, data=piece)
        self.call("content.close", handle=handle)
        return handle

    def _send(self, message):
        data = json.dumps(message).encode()
        self.socket.sendall(struct.pack("=I", len(data)) + data)

    def _receive(self):
        (size,) = struct.unpack("=I", self._read(4))
        return json.loads(self._read(size))

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(min(size - len(data), 1 << 16))
            if not piece:
                raise ConnectionError("Persten has closed the connection")
            data += piece
        return data


def main(args):
    try:
        agent = Persten()
        if args[:1] == ["status"]:
            print(json.dumps(agent.call("agent.status"), ensure_ascii=False, indent=2))
        elif args[:1] == ["certificates"]:
            for c in agent.call("certificates.list")["certificates"]:
                print(c["id"], c["name"], c["notAfter"], sep="\t")
        elif args[:1] == ["sign"] and len(args) == 4:
            with open(args[2], "rb") as f:
                signature = agent.sign(args[1], f.read(), os.path.basename(args[2]))
            with open(args[3], "wb") as f:
                f.write(signature)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Refused as e:
        print(e, file=sys.stderr)
        return 3 if e.code == "user_rejected" else 1
    except OSError as e:
        print("Persten does not answer: %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
