"""The options for files, and for what else answers a path: the first part of `Config`."""

from __future__ import annotations

from tpserver.errors import UsageError
from tpserver.files.named_pages import ErrorPage, parse_error_page, parse_index
from tpserver.files.paths import os_text
from tpserver.files.prefixes import Mount, parse_mount
from tpserver.files.protected import AuthRule, parse_auth
from tpserver.files.redirects import RedirectRule, parse_redirect
from tpserver.files.rules import (
    CodingRule,
    FieldRule,
    MediaRule,
    parse_cache_control,
    parse_encoded,
    parse_header,
    parse_mime,
)
from tpserver.files.shown import HideRule, parse_hide
from tpserver.http.cors import ANY, parse_origin
from tpserver.http.hosts import VirtualHost, parse_virtual_host
from tpserver.options.option import flag, option
from tpserver.record import Record


class FileOptions(Record, frozen=True):
    """What answers which path, and how."""

    root: str | None = option(
        None,
        "DIR",
        "Folder whose files are served. It may also be an argument without an option.",
        shown="the current folder when there is no application",
        also=("-d", "--directory"),
    )
    listing: bool = flag(
        "List folders that have no index file: as a page that sorts and filters (?view=grid shows pictures), as JSON"
        " for Accept: application/json, or as bare names for Accept: text/plain. Every client sees the names, except"
        " those that begin with a dot, Python files, and links out of the folder. An existing folder is listed before"
        " the application is asked."
    )
    archive: bool = flag(
        "As --listing, and offer each listed folder as a zip archive (?archive=zip) of what its listing and those below"
        " it show. It is made while it is sent. Two are made at once, each by one of the --threads; one more gets 503."
    )
    compress: str = option(
        "auto",
        "MODE",
        "Send files in a content coding that the client accepts. auto: use coded files beside the plain ones"
        " (app.js.br, app.js.zst, app.js.gz) and compress other texts in the background. sidecars: use only the coded"
        " files that exist. off: send every file as it is.",
        choices=("auto", "sidecars", "off"),
    )
    index: tuple[str, ...] = option(
        (),
        "NAME",
        "Index file: answers for its folder. May be repeated: the first that exists is used.",
        parse=parse_index,
        shown="index.html",
    )
    try_html: bool = flag(
        "Answer /about with about.html where no file is named about. The page comes before a folder of that name."
    )
    spa: str | None = option(
        None,
        "FILE",
        "File below the root that answers, with 200, for unknown paths where the client accepts HTML; for those with an"
        " extension where a browser opens them as a page (Sec-Fetch-Dest, Accept). An application is asked"
        " first, and its 404 is replaced.",
        shown="none",
    )
    error_page: tuple[ErrorPage, ...] = option(
        (),
        "STATUS=FILE",
        "File below the root that is sent, where the client accepts HTML, when the server itself answers with this"
        " status: 404, 405, 406, 412, 416, 500 or 501. May be repeated.",
        parse=parse_error_page,
        parsed_type=ErrorPage,
    )
    cache_control: tuple[FieldRule, ...] = option(
        (),
        "GLOB=VALUE",
        "Cache-Control field of the files that match the glob (* within a segment, ** across segments). May be"
        " repeated: the last match decides, an empty value sends no field.",
        parse=parse_cache_control,
        parsed_type=FieldRule,
        shown="immutable for a year where the name holds a hash of the content, as app.3f2a9c1b.js; else none",
    )
    header: tuple[FieldRule, ...] = option(
        (),
        "GLOB=NAME:VALUE",
        "Response field of all answers for paths that match the glob: files, listings (docs/ matches docs/**),"
        " redirects and errors; not of an application's responses. May be repeated.",
        parse=parse_header,
        parsed_type=FieldRule,
    )
    cors: tuple[str, ...] = option(
        (),
        "[ORIGIN]",
        "Let scripts of this origin, such as https://app.example, read files, listings, redirects and errors; of all"
        " origins where none is given. May be repeated. An application's responses are left to it.",
        parse=parse_origin,
        bare=ANY,
    )
    mime: tuple[MediaRule, ...] = option(
        (),
        "EXT=TYPE",
        "Media type of files with this extension, or with this whole name, or that match a glob (*.tar.gz, docs/**)."
        " May be repeated: the last match decides.",
        parse=parse_mime,
        parsed_type=MediaRule,
    )
    charset: str = option(
        "auto",
        "NAME",
        "Charset of text files to which --mime gives none. auto: utf-8 where the file is valid UTF-8, else the file"
        " decides, by <meta> for example. none: no charset.",
    )
    encoded: tuple[CodingRule, ...] = option(
        (),
        "GLOB=CODING",
        "Content coding that the files are in that match the glob: br, zstd, gzip, or none. May be repeated: the last"
        " match decides.",
        parse=parse_encoded,
        parsed_type=CodingRule,
        shown="by name: br, zstd or gzip for app.js.br, app.wasm.gz and the like, gzip for tiles and .svgz that are",
    )
    follow_links: bool = flag(
        "Follow symbolic links out of the root. Every user who can make a link there can then publish any file."
    )
    auth: tuple[AuthRule, ...] = option(
        (),
        "GLOB=FILE",
        "Ask for a user's name and password (Basic authentication) for paths that match the glob, and all below them:"
        " files, the coded ones beside them (app.js.br), listings and applications. FILE has lines user:scrypt$...,"
        " which python -m tpserver hash-password USER writes. May be repeated: the last match decides.",
        parse=parse_auth,
        parsed_type=AuthRule,
    )
    dot_files: bool = flag(
        "Serve and list files and folders whose names begin with a dot, such as .zarray and .git. Every client can then"
        " read what a .env or .htpasswd below the root holds; see --hide."
    )
    py_files: bool = flag(
        "Serve and list Python files, for PyScript, Brython and downloads; only in folders beside which no application"
        " is served."
    )
    hide: tuple[HideRule, ...] = option(
        (),
        "GLOB",
        "Answer 404 for the files and folders that match the glob, for all below them and for the coded files beside"
        " them (app.js.br), and leave them out of listings and archives. It ignores case. May be repeated.",
        parse=parse_hide,
        parsed_type=HideRule,
    )
    redirect: tuple[RedirectRule, ...] = option(
        (),
        "FROM=TO",
        "Redirect GET and HEAD requests for this path, or for those that match this glob, by status 302 to a path or"
        " a URL. The query is kept. Where both end in /**, so is what ** stands for. May be repeated: the first match"
        " decides, before any file or application.",
        parse=parse_redirect,
        parsed_type=RedirectRule,
    )
    vhost: tuple[VirtualHost, ...] = option(
        (),
        "HOST=TARGET",
        "Folder, or application as MODULE:CALLABLE, for this host or *.domain. May be repeated: one folder and one"
        " application for each host. Other hosts get --root and --app, or 421 where neither is given.",
        parse=parse_virtual_host,
        parsed_type=VirtualHost,
    )
    mount: tuple[Mount, ...] = option(
        (),
        "PREFIX=TARGET",
        "Folder, or application as MODULE:CALLABLE, for the paths that begin with this prefix, such as /static or /api:"
        " the longest prefix decides, by whole segments. May be repeated. Globs of other options match the whole path;"
        " --spa and --error-page are looked for in the mounted folder. With --vhost: below each host that is served.",
        parse=parse_mount,
        parsed_type=Mount,
    )

    def check_prefixes(self) -> None:
        """Raises `UsageError` where two mounts have the same prefix."""
        prefixes = set()
        for prefix, what in self.mount:
            if prefix in prefixes:
                raise UsageError(f"--mount {os_text(prefix)}={what}: the prefix is given twice")
            prefixes.add(prefix)
