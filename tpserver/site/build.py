"""Makes sites of a `Config`: the folders, the applications, and a site for each virtual host."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tpserver.config import Config
from tpserver.errors import StartError, UsageError
from tpserver.files.background import BackgroundCoder
from tpserver.files.file import File
from tpserver.files.folder import INDEX, Folder, fresh_look
from tpserver.files.found import Listing
from tpserver.files.named_pages import page_path
from tpserver.files.paths import os_text
from tpserver.files.prefixes import Mount
from tpserver.files.protected import AuthRule
from tpserver.files.redirects import Redirects
from tpserver.files.rules import FileRules, HeaderRules
from tpserver.files.shown import Shown
from tpserver.files.variants import Variants
from tpserver.http.cors import CrossOrigin
from tpserver.http.head import Head
from tpserver.reply import Responder
from tpserver.site.mounts import MountedApplication, Mounts
from tpserver.site.site import MisdirectedSite, Site
from tpserver.site.vhosts import VirtualHosts
from tpserver.version import SOFTWARE
from tpserver.wsgi.page_end import PageEnd
from tpserver.wsgi.responder import Application, WSGIResponder

if TYPE_CHECKING:
    from tpserver.site.auth import Guard

# MODULE:CALLABLE, names of Python, or file.py:CALLABLE; the callable may be called with arguments.
# On Windows a folder may look like it, so an existing folder comes first.
_NAME: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_APPLICATION: Final = rf"(?s)(?:{_NAME}|.+?\.py):{_NAME}(?:\(.*\))?|.+\.py"

Load = Callable[[str, str], Application]


class Sites:
    """The folders and applications of one server, made once. Not for two threads at once.

    `load` imports an application by its name and folder. `page_end` is put behind each page of HTML. Raises
    `UsageError` for what cannot be served, and what `load` raises.
    """

    def __init__(self, config: Config, coder: BackgroundCoder | None, load: Load, page_end: bytes = b"") -> None:
        self._config = config
        self._coder = coder
        self._page_end = page_end
        self.guard = _guard(config.auth) if config.auth else None
        self._redirects = Redirects(config.redirect) if config.redirect else None
        self._rules = FileRules(
            [*config.cache_control, *config.header],
            config.mime,
            config.charset,
            config.encoded,
            None if self.guard is None else self.guard.protection.protects,
        )
        self._headers = HeaderRules(config.header)
        self._cors = CrossOrigin(config.cors) if config.cors else None
        named = next((rule.name for rule in config.header if rule.name.lower().startswith("access-control-")), None)
        if named is not None and config.cors:
            raise UsageError(f"--header sets {named}, and so does --cors: give one of them")
        self._folders: dict[str, Folder] = {}
        self._variants: dict[Folder, Variants | None] = {}
        self._spa = None if config.spa is None else _path("--spa", config.spa)
        self._error_pages = {page.status: page.path for page in config.error_page}
        self._root = None if config.root is None else self._folder(config.root, f"--root {config.root}")
        self._host_folders: dict[str, Folder] = {}
        self._host_applications: dict[str, Application] = {}
        for pattern, what in config.vhost:
            self._add_host(pattern, what, load)
        self._mounts: dict[str, Folder | Application] = {}
        for mount in config.mount:
            self._add_mount(mount, load)
        self._listing = _listings(config.archive) if config.listing or config.archive else None
        self._check_pages()

    def build(
        self, application: Application | None, server_name: str, server_port: int
    ) -> tuple[Site | VirtualHosts | Mounts, bool]:
        """The sites, with `application` for the hosts that have none of their own; and whether any reads contents.

        With virtual hosts, and neither a root nor an application beside them, other hosts get 421.
        """

        def responder(application: Application | None, *, by_host: bool = False) -> WSGIResponder | None:
            if application is None:
                return None
            if self._page_end:
                application = PageEnd(application, self._page_end)
            return WSGIResponder(
                application,
                server_name,
                server_port,
                software=SOFTWARE,
                by_host=by_host,
                multiprocess=self._config.workers > 1,
                encrypted=self._config.encrypted,
            )

        def site(folder: Folder | None, application: Application | None, host: str = "") -> Site | Mounts:
            folder = self._beside(folder, application)
            around = self._site(folder, responder(application, by_host=bool(host)), host)
            mounted = {
                prefix: self._site(self._beside(what, None), None, host, around)
                if isinstance(what, Folder)
                else self._site(None, responder(what, by_host=bool(host)), host, around)
                for prefix, what in self._mounts.items()
            }
            return Mounts(mounted, around, self._site(None, None, host, around)) if mounted else around

        reads_contents = any(not isinstance(what, Folder) for what in self._mounts.values())
        reads_contents |= application is not None or bool(self._host_applications)
        default = site(self._root, application)
        if not self._config.vhost:
            return default, reads_contents
        folders, applications = self._host_folders, self._host_applications
        sites = {
            pattern: site(folders.get(pattern), applications.get(pattern), pattern)
            for pattern in {**folders, **applications}
        }
        wanted = self._root is not None or application is not None
        return VirtualHosts(sites, default if wanted else MisdirectedSite(self._headers, self._cors)), reads_contents

    def _site(
        self, folder: Folder | None, responder: WSGIResponder | None, host: str = "", around: Site | None = None
    ) -> Site:
        kind: Callable[..., Site] = Site if self.guard is None else self.guard.site
        return kind(
            folder,
            responder,
            host=host,
            spa=self._spa,
            error_pages=self._error_pages,
            variants=None if folder is None else self._variants[folder],
            listing=self._listing,
            headers=self._headers,
            cors=self._cors,
            around=around,
            redirects=self._redirects,
        )

    def _add_host(self, pattern: str, what: str, load: Load) -> None:
        name = f"--vhost {pattern}={what}"
        if os.path.isdir(what) or re.fullmatch(_APPLICATION, what) is None:
            folder = self._folder(what, name)
            if pattern in self._host_folders:
                raise UsageError(f"{name}: the host has a folder already")
            self._host_folders[pattern] = folder
        elif pattern in self._host_applications:
            raise UsageError(f"{name}: the host has an application already")
        else:
            self._host_applications[pattern] = load(what, self._config.app_dir)

    def _add_mount(self, mount: Mount, load: Load) -> None:
        prefix, what = mount
        name = f"--mount {os_text(prefix)}={what}"
        if os.path.isdir(what) or re.fullmatch(_APPLICATION, what) is None:
            self._mounts[prefix] = self._folder(what, name, prefix)
            return
        try:
            application = load(what, self._config.app_dir)
        except StartError as error:
            raise StartError(f"{name}: {error}", error.cause_text) from error
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error
        self._mounts[prefix] = MountedApplication(application, prefix)

    def _beside(self, folder: Folder | None, application: Application | None) -> Folder | None:
        """`folder` as it is served beside `application`: with Python files only where there is none."""
        if folder is None or application is not None or not self._config.py_files:
            return folder
        return self._folder(folder.root, folder.root, folder.prefix, py_files=True)

    def _folder(self, where: str, name: str, prefix: str = "", *, py_files: bool = False) -> Folder:
        """The folder at `where`; one and the same for all hosts that name it, so that it is remembered once."""
        if not os.path.isdir(where):
            hint = "; an application has the form MODULE:CALLABLE" if prefix else ""
            raise UsageError(f"{name}: there is no such folder{hint}")
        place = f"{os.path.abspath(where)}\0{prefix}\0{py_files}"
        if place not in self._folders:
            config = self._config
            folder = Folder(
                where,
                index=config.index or (INDEX,),
                try_html=config.try_html,
                rules=self._rules,
                listing=config.listing or config.archive,
                follow_links=config.follow_links,
                prefix=prefix,
                shown=Shown(dot_files=config.dot_files, py_files=py_files, hide=config.hide),
            )
            folder.page_end = self._page_end
            if self.guard is not None:
                folder.protection = self.guard.protection
            self._folders[place] = folder
            self._variants[folder] = None if config.compress == "off" else Variants(folder, self._coder)
        return self._folders[place]

    def _check_pages(self) -> None:
        """Raises `UsageError` for a page that is in no folder: at the start, not when it is first asked for."""
        named = {f"--error-page {status}={os_text(path[1:])}": path for status, path in self._error_pages.items()}
        if self._spa is not None:
            named[f"--spa {self._config.spa}"] = self._spa
        for option, path in named.items():
            if not self._folders:
                raise UsageError(f"{option}: there is no folder that it could be in; give one by --root")
            found = [folder.find(folder.prefix + path, fresh_look()) for folder in self._folders.values()]
            if not any(isinstance(one, File) for one in found):
                places = " or ".join(folder.root for folder in self._folders.values())
                raise UsageError(f"{option}: there is no such file below {places}")


def _guard(rules: Sequence[AuthRule]) -> Guard:
    from tpserver.site.auth import Guard  # few servers have one, and it imports hashlib

    return Guard(rules)


def _listings(archive: bool) -> Callable[[Folder, Listing, Head], Responder]:
    from tpserver.files.archive_responder import Archives  # few servers have listings
    from tpserver.files.listing_responder import Listings

    return Listings(Archives() if archive else None).responder


def _path(name: str, text: str) -> str:
    try:
        return page_path(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
