# SPDX-License-Identifier: GPL-3.0-or-later
"""A window at the upper left from which the file named first can be dragged, as from a file manager."""
import pathlib
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

window = Gtk.Window(title="source")
window.set_default_size(120, 60)
window.move(0, 0)
box = Gtk.EventBox()
box.add(Gtk.Label(label="file"))
box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
box.drag_source_add_uri_targets()
box.drag_source_add_text_targets()
box.connect("drag-data-get", lambda _w, _c, data, _i, _t: data.set_uris([pathlib.Path(sys.argv[1]).as_uri()]))
box.connect("drag-end", lambda *_: print("end", flush=True))
window.add(box)
window.connect("destroy", Gtk.main_quit)
window.show_all()
Gtk.main()
