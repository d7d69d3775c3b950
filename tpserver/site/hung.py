"""What answers while leaders wait for a disk: where many hang no file is looked for."""

from __future__ import annotations

from typing import Protocol

from tpserver.http.head import Head
from tpserver.reply import Hangs, Responder
from tpserver.site.site import Site


def place_name(site: Site, head: Head) -> str:
    """The place of what a request names: the site's host and the path."""
    return site.host + head.path


class Looking(Protocol):
    """What the protocol knows of the leader's look for what answers."""

    turn: int
    hanging: Hangs
    answering: Head | None  # whose file the leader waits for, if it waits


def find_beside_hangs(site: Site, head: Head, looking: Looking) -> Responder:
    """As `Site.find`, while leaders wait for a disk. The leader. Raises `RequestRefused`, 503 too."""
    place = place_name(site, head)
    if not site.has_folder or not head.path.startswith("/"):
        return site.find(head, looking.turn)
    hung = looking.hanging.refuses(place)
    if hung:
        return site.find_in_memory(head, everywhere=hung == site.host + "/")
    looking.answering = head  # not before: that a leader comes back which has asked for nothing tells nothing of a disk
    responder = site.find(head, looking.turn)
    looking.hanging.note_answer(place)
    return responder
