"""What answers while leaders wait for a disk: where many hang no file is looked for."""

from __future__ import annotations

from tpserver.http.head import Head
from tpserver.reply import Hangs, Responder
from tpserver.site.site import Site


def place_name(site: Site, head: Head) -> str:
    """The place of what a request names: the site's host and the path."""
    return site.host + head.path


def find_beside_hangs(site: Site, head: Head, turn: int, hanging: Hangs) -> Responder:
    """As `Site.find`, while leaders wait for a disk. The leader. Raises `RequestRefused`, 503 too."""
    place = place_name(site, head)
    if not site.has_folder or not head.path.startswith("/"):
        return site.find(head, turn)
    hung = hanging.refuses(place)
    if hung:
        return site.find_in_memory(head, everywhere=hung == site.host + "/")
    responder = site.find(head, turn)
    hanging.note_answer(place)
    return responder
