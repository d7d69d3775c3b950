"""Basic authentication in front of a site (`--auth`): nothing that a rule protects is answered without it.

A check of a password takes some 50 milliseconds on purpose. A thread of the pool makes it, one at a time, and its
result is remembered: as a hash with a key of this process, never as the password.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from tpserver.errors import RequestRefused, UsageError
from tpserver.files.archive_responder import ArchiveResponder
from tpserver.files.folder import fresh_look
from tpserver.files.listing_responder import ListingResponder
from tpserver.files.protected import AuthRule, Protection
from tpserver.files.responder import FileResponder
from tpserver.files.rules import as_private
from tpserver.http.basic_auth import NO_USER, Credentials, PasswordHash, is_password, parse_credentials, parse_users
from tpserver.http.cors import is_preflight
from tpserver.http.head import Head
from tpserver.http.message import Message
from tpserver.logs.log import Log
from tpserver.reply import Reply, Responder
from tpserver.site.site import Site
from tpserver.system.clock import clock
from tpserver.wsgi.responder import Environ, StartResponse, WSGIResponder

_log = Log("tpserver")

# Credentials that are remembered, right ones and wrong ones apart: wrong ones are cheap to invent.
MEMORY: Final = 1024
# Checks that wait or run. One more gets 503 at once, so that passwords that are tried do not fill the queue.
PENDING: Final = 32
# Checks that run at once, where the engine lets more than one run. Each takes up to 64 MiB.
AT_ONCE: Final = 2
# Bytes of the largest file of users.
_LARGEST: Final = 1024**2


class Users:
    """The users of one file, which is read again when it has changed. Any thread."""

    def __init__(self, path: str) -> None:
        """Raises `UsageError` where it cannot be read or is malformed."""
        self.path = path
        self._lock = threading.Lock()
        self._checked_at = clock.monotonic()
        try:
            self._version = _version(path)
            self._users = _read(path)
        except OSError as error:
            raise UsageError(f"--auth: cannot read {path}: {error.strerror or error}") from None
        except ValueError as error:
            raise UsageError(f"--auth: {path}, {error}") from None

    def hash_of(self, user: str) -> PasswordHash:
        """That of `user`; for one that there is none of, a hash that no password has and that takes as long."""
        now = clock.monotonic()
        if now >= self._checked_at + 1 and self._lock.acquire(blocking=False):
            try:
                self._checked_at = now
                self._renew()
            finally:
                self._lock.release()
        users = self._users
        found = users.get(user)
        return found or next(iter(users.values()), NO_USER)._replace(key=b"")

    def _renew(self) -> None:
        try:
            version = _version(self.path)
            if version != self._version:
                self._version = version  # else a malformed file would be told every second
                self._users = _read(self.path)
                _log.info("read the users in %s again", self.path)
        except OSError as error:
            if self._version:
                self._version = ()
                _log.error("cannot read the users in %s: %s; they stay as they were", self.path, error.strerror)
        except ValueError as error:
            _log.error("%s, %s; the users stay as they were", self.path, error)


def _version(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _read(path: str) -> dict[str, PasswordHash]:
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("it is larger than 1 MiB")
    try:
        return parse_users(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {number}: it is not UTF-8") from None


class Guard:
    """Who may read what: one for all sites of a server. Any thread."""

    def __init__(self, rules: Sequence[AuthRule], pending: int = PENDING) -> None:
        """Raises `UsageError`."""
        self.protection = Protection(rules)
        realms = self.protection.realms
        users = {realm: Users(rule.file) for realm, rule in zip(realms, rules, strict=True)}
        self._users = [users[realm] for realm in realms]
        self._key = os.urandom(32)
        self._lock = threading.Lock()  # guards what follows
        self._known: dict[bytes, bool] = {}
        self._wrong: dict[bytes, bool] = {}
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._most_pending = pending
        # A request that is dropped, since its client has left, takes itself out.
        self._pending: weakref.WeakSet[CheckResponder] = weakref.WeakSet()

    def site(self, *args: Any, **options: Any) -> Site:
        """A site that this guards; the arguments are those of `Site`."""
        site = GuardedSite(*args, **options)
        site.guard = self
        return site

    def remembered(self, rule: int, credentials: Credentials) -> bool | None:
        """Whether these are credentials of `rule`; None where that is not known."""
        key = self._key_of(credentials, self._users[rule].hash_of(credentials.user))
        with self._lock:
            for memory in (self._known, self._wrong):
                if key in memory:
                    memory[key] = right = memory.pop(key)  # it is the newest now
                    return right
        return None

    def check(self, rule: int, credentials: Credentials) -> bool:
        """The same, by a check. Takes long; a thread of the pool."""
        right = self.remembered(rule, credentials)  # while it has waited
        if right is not None:
            return right
        hashed = self._users[rule].hash_of(credentials.user)
        with self._places:
            right = is_password(credentials.password, hashed)
        memory = self._known if right else self._wrong
        with self._lock:
            memory[self._key_of(credentials, hashed)] = right
            while len(memory) > MEMORY:
                del memory[next(iter(memory))]
        return right

    def enter(self, responder: CheckResponder) -> None:
        """The leader: one check more. Raises `RequestRefused` (503) where too many wait."""
        if len(self._pending) >= self._most_pending:
            detail = "The server is checking other passwords. Try again in a moment."
            raise RequestRefused(503, detail, fields=(("Retry-After", "1"),))
        self._pending.add(responder)

    def leave(self, responder: CheckResponder) -> None:
        """The thread that has made the check."""
        self._pending.discard(responder)

    def refusal(self, rule: int) -> RequestRefused:
        """401, with the question for credentials."""
        number = self.protection.realms[rule]
        realm = f"Restricted {number + 1}" if number else "Restricted"
        value = f'Basic realm="{realm}", charset="UTF-8"'
        return RequestRefused(
            401, "This address takes a user's name and a password.", fields=(("WWW-Authenticate", value),)
        )

    def user_of(self, head: Head) -> str:
        """For the access log, as nginx: the name that was sent, right or not; "-" where there is none."""
        credentials = parse_credentials(head.fields.get("HTTP_AUTHORIZATION"))
        return credentials.user[:64] or "-" if credentials is not None else "-"

    def warn_in_the_clear(self, address: str) -> None:
        """At the start: passwords are readable on the way where others than this machine connect. "": a unix socket."""
        if address not in ("", "::1", "localhost") and not address.startswith("127."):
            _log.warning("--auth on %s: passwords are sent in the clear; use --tls-cert and --tls-key", address)

    def _key_of(self, credentials: Credentials, hashed: PasswordHash) -> bytes:
        """Tells credentials apart, also after the password in the file has changed."""
        about = hashlib.blake2b(key=self._key)
        for part in (credentials.user.encode("utf-8"), repr(hashed).encode("ascii"), credentials.password):
            about.update(b"%d:%b" % (len(part), part))
        return about.digest()


class CheckResponder:
    """Checks a password, and then answers as the site does. Runs as a request that computes does."""

    __slots__ = ("__weakref__", "_credentials", "_look", "_rule", "_site", "answering")
    runs_inline = False
    computes = True

    def __init__(
        self, site: GuardedSite, rule: int, credentials: Credentials, look: Callable[[int], Responder]
    ) -> None:
        """`look` finds what answers, in a turn."""
        self._site = site
        self._look = look
        self._rule = rule
        self._credentials = credentials
        self.answering: Responder | None = None  # what answers once the password has turned out to be right

    def respond(self, request: Message, reply: Reply) -> None:
        """Answers. A thread of the pool. Raises `RequestRefused`."""
        guard = self._site.guard
        try:
            right = guard.check(self._rule, self._credentials)
        finally:
            guard.leave(self)
        if not right:
            raise guard.refusal(self._rule)
        self.answering = self._site.for_user(self._look(fresh_look()), self._credentials.user)
        self.answering.respond(request, reply)


class GuardedSite(Site):
    """A site of which `guard` protects a part."""

    guard: Guard

    def find(self, head: Head, turn: int) -> Responder:
        """As `Site.find`, for those who may. Raises `RequestRefused`: 401, and 503 where many passwords are checked."""
        look = functools.partial(super().find, head)
        return look(turn) if head.path == "*" else self._admit(head, look, turn)

    @property
    def application_alone(self) -> None:
        """As in `Site`: who may is looked at each time."""
        return

    def find_in_memory(self, head: Head, *, everywhere: bool) -> Responder:
        """As `Site.find_in_memory`, for those who may. Raises `RequestRefused` as `find`."""
        in_memory = super().find_in_memory
        return self._admit(head, lambda turn: in_memory(head, everywhere=everywhere), 0)

    def _admit(self, head: Head, look: Callable[[int], Responder], turn: int) -> Responder:
        """What `look` finds in `turn`, or what asks for a password. Raises `RequestRefused`."""
        rule = self.guard.protection.of_request(head.path)
        if rule < 0:
            found = look(turn)
            rule = max(map(self.guard.protection.of_place, self._places(found)), default=-1)
            if rule < 0:
                return found
        if self._cors is not None and is_preflight(head.method, head.fields):
            return self._preflight(head)  # it never has credentials, and tells nothing
        credentials = parse_credentials(head.fields.get("HTTP_AUTHORIZATION"))
        if credentials is None:
            raise self.guard.refusal(rule)
        right = self.guard.remembered(rule, credentials)
        if right is None:
            check = CheckResponder(self, rule, credentials, look)
            self.guard.enter(check)
            return check
        if not right:
            raise self.guard.refusal(rule)
        return self.for_user(look(turn), credentials.user)

    def for_user(self, found: Responder, user: str) -> Responder:
        """What was found, as it answers `user`, who may read it."""
        return self._as_user(found, user) if isinstance(found, WSGIResponder) else found

    def header_fields(self, head: Head) -> list[tuple[str, str]]:
        """As `Site.header_fields`; what is protected is for no shared cache."""
        fields = super().header_fields(head)
        if self.guard.protection.of_request(head.path) < 0:
            return fields
        given = next((value for name, value in fields if name.lower() == "cache-control"), "no-cache")
        kept = [field for field in fields if field[0].lower() != "cache-control"]
        return [*kept, ("Cache-Control", as_private(given))]

    def fields_of(self, head: Head, responder: Responder) -> list[tuple[str, str]]:
        """As `Site.fields_of`."""
        if isinstance(responder, CheckResponder):
            responder = responder.answering or responder
        return super().fields_of(head, responder)

    @functools.lru_cache(MEMORY)  # noqa: B019 - a site lives as long as its server
    def _as_user(self, responder: WSGIResponder, user: str) -> WSGIResponder:
        """The same, whose application is told the user. Kept, for it has a memory of its own."""
        application = responder.application

        def as_user(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            environ["REMOTE_USER"] = user.encode("utf-8").decode("latin-1")  # PEP 3333
            environ["AUTH_TYPE"] = "Basic"
            return application(environ, start_response)

        told = copy.copy(responder)
        told.application = as_user
        return told

    def _places(self, found: Any) -> list[str]:
        """Where the files are that may be sent, by their names and behind links: an index has another path."""
        folder = self._folder
        if folder is None:
            return []
        if isinstance(found, FileResponder):
            return [folder.place(found.file.name), folder.place(found.file.real, folder.real_root)]
        if isinstance(found, (ListingResponder, ArchiveResponder)):
            return [folder.place(found.listing.real, folder.real_root)]
        return [folder.prefix + self._spa] if self._spa is not None and found is self._spa_behind else []
