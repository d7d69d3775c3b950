"""The media type of a file by its name, the same on every machine.

`mimetypes` by default reads the Windows registry and /etc/mime.types, which make `.js` files text/plain on some
machines. This module uses only the table built into `mimetypes`, behind one of its own: with the types that it lacks in
some version, and those of most sites, which thus do without the module.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Mapping
from typing import Final

DEFAULT_TYPE: Final = "application/octet-stream"

# As in a file mime.types: a media type, and the extensions that have it.
# `.ts` is a segment of a video, as in nginx; browsers do not run TypeScript. `File` adds the coding of `.svgz`.
_OURS: Final = """
application/appx appx appxbundle
application/atom+xml atom
application/dash+xml mpd
application/dicom dcm
application/epub+zip epub
application/fits fits
application/geo+json geojson
application/geo+json-seq geojsonl geojsons
application/geopackage+sqlite3 gpkg
application/gml+xml gml
application/gpx+xml gpx
application/gzip gz tgz
application/java-archive jar
application/json czml har json map topojson
application/json5 json5
application/jsonl jsonl
application/ld+json jsonld
application/manifest+json webmanifest
application/metalink+xml metalink
application/metalink4+xml meta4
application/msix msix msixbundle
application/msword doc
application/n-quads nq
application/n-triples nt
application/netcdf nc
application/oebps-package+xml opf
application/opensearchdescription+xml osdx
application/pdf pdf
application/pgp-signature sig
application/pkcs12 p12 pfx
application/pkix-cert cer
application/pkix-crl crl
application/postscript eps ps
application/rdf+xml owl rdf
application/rss+xml rss
application/rtf rtf
application/sparql-query rq
application/sql sql
application/toml toml
application/trig trig
application/ttml+xml dfxp ttml
application/vnd.android.package-archive apk
application/vnd.apache.arrow.file arrow feather
application/vnd.apache.arrow.stream arrows
application/vnd.apache.parquet parquet
application/vnd.appimage appimage
application/vnd.apple.mpegurl m3u8
application/vnd.apple.pkpass pkpass
application/vnd.apple.pkpasses pkpasses
application/vnd.comicbook+zip cbz
application/vnd.comicbook-rar cbr
application/vnd.debian.binary-package deb udeb
application/vnd.flatpak flatpak
application/vnd.flatpak.ref flatpakref
application/vnd.flatpak.repo flatpakrepo
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/vnd.mapbox-vector-tile mvt
application/vnd.microsoft.portable-executable dll exe
application/vnd.ms-cab-compressed cab
application/vnd.ms-excel xls
application/vnd.ms-fontobject eot
application/vnd.ms-powerpoint ppt
application/vnd.oasis.opendocument.formula odf
application/vnd.oasis.opendocument.graphics odg
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.text odt
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.pmtiles pmtiles
application/vnd.rar rar
application/vnd.snap snap
application/vnd.sqlite3 mbtiles sqlite sqlite3
application/vnd.visio vsd
application/vsix vsix
application/warc warc
application/wasm wasm
application/x-7z-compressed 7z
application/x-apple-aspen-config mobileconfig
application/x-apple-diskimage dmg
application/x-bittorrent torrent
application/x-bzip2 bz2
application/x-chrome-extension crx
application/x-cpio cpio
application/x-hdf5 h5 hdf5
application/x-ipynb+json ipynb
application/x-iso9660-image iso
application/x-java-jnlp-file jnlp
application/x-lzip lz
application/x-mobipocket-ebook mobi
application/x-ms-application application
application/x-ms-manifest manifest
application/x-msi msi
application/x-ndjson ndjson
application/x-pem-file pem
application/x-protobuf pbf
application/x-rpm rpm
application/x-sh sh
application/x-shockwave-flash swf
application/x-subrip srt
application/x-tar tar
application/x-x509-ca-cert crt der
application/x-xpinstall xpi
application/x-xz txz xz
application/x-zsync zsync
application/xhtml+xml xht xhtml
application/xml rng wsdl xml xmp xsd
application/xml-dtd dtd
application/xslt+xml xsl xslt
application/xspf+xml xspf
application/yaml yaml yml
application/zip nupkg zip
application/zstd zst
audio/aac aac
audio/aiff aif aiff
audio/amr amr
audio/flac flac
audio/matroska mka
audio/midi mid midi
audio/mp4 m4a
audio/mpeg mp3
audio/mpegurl m3u
audio/ogg oga ogg
audio/opus opus
audio/wav wav
audio/webm weba
audio/x-caf caf
audio/x-ms-wma wma
audio/x-scpls pls
font/collection ttc
font/otf otf
font/ttf ttf
font/woff woff
font/woff2 woff2
image/apng apng
image/avif avif
image/bmp bmp
image/heic heic
image/heic-sequence heics
image/heif heif
image/jp2 jp2
image/gif gif
image/jpeg jfif jpeg jpg
image/jxl jxl
image/ktx ktx
image/ktx2 ktx2
image/png png
image/svg+xml svg svgz
image/tiff tif tiff
image/vnd.adobe.photoshop psd
image/vnd.djvu djv djvu
image/vnd.microsoft.icon cur ico
image/vnd.radiance hdr
image/webp webp
image/x-exr exr
message/rfc822 eml
model/3mf 3mf
model/gltf+json gltf
model/gltf-binary glb
model/mtl mtl
model/obj obj
model/step step stp
model/stl stl
model/vnd.usdz+zip usdz
multipart/related mht mhtml
text/asciidoc adoc asciidoc
text/cache-manifest appcache
text/calendar ics ifb
text/csv csv
text/css css
text/html htm html shtml
text/javascript cjs js mjs
text/jsx jsx
text/markdown md
text/n3 n3
text/plain asc cfg conf diz ini list lock log lrc md5 nfo pl properties rb sha1 sha256 sha512 text txt wat
text/tab-separated-values tsv
text/turtle ttl
text/vcard vcf
text/vtt vtt
text/x-bibtex bib
text/x-c c h
text/x-c++ cc cpp cxx hpp
text/x-component htc
text/x-diff diff patch
text/x-go go
text/x-java java
text/x-less less
text/x-lua lua
text/x-rst rst
text/x-rust rs
text/x-sass sass
text/x-scss scss
text/x-ssa ass ssa
text/x-tex tex
text/x-typescript tsx
video/3gpp 3gp 3gpp
video/3gpp2 3g2
video/iso.segment m4s
video/matroska mkv
video/mp2t m2ts mts ts
video/mp4 m4v mp4
video/mpeg mpeg mpg
video/ogg ogv
video/quicktime mov qt
video/webm webm
video/x-flv flv
video/x-ms-wmv wmv
video/x-msvideo avi
"""

# Names without an extension, in lower case. The first ones are those of .well-known/ (RFC 8615) and of its users.
_NAMES: Final = """
application/json apple-app-site-association apple-developer-merchantid-domain-association openid-configuration
application/json oauth-authorization-server jwks nodeinfo host-meta.json matrix/client matrix/server matrix/support
application/jrd+json webfinger
application/xrd+xml host-meta
text/plain authors changelog changes codeowners contributing copying credits dockerfile filelist gemfile history
text/plain inrelease install licence license maintainers makefile md5sums news notice packages procfile rakefile
text/plain readme release sha1sums sha256sums sha512sums thanks todo vagrantfile version
"""


def _read(table: str) -> dict[str, str]:
    """The lines of a table -> extension or name -> media type."""
    lines = (line.split() for line in table.split("\n") if line)
    return {name: media for media, *names in lines for name in names}


# What a text in ISO-2022-JP or -KR begins other characters with, in bytes that are all ASCII (RFC 1468, RFC 1557).
_ISO_2022: Final = re.compile(rb"\x1b\$[@AB)(]")
_new_decoder: Final = codecs.getincrementaldecoder("utf-8")

_TABLE: Final = _read(_OURS)
_BY_NAME: Final = _read(_NAMES)


@functools.cache
def _built_in() -> Mapping[str, str]:
    import mimetypes  # for extensions that are not in our table

    # The first `MimeTypes` has the module read the system's files. Until then its own table is in `types_map`.
    return mimetypes.MimeTypes(filenames=()).types_map[True] if mimetypes.inited else mimetypes.types_map


def media_type(name: str, folder: str = "") -> str:
    """The name of a file, and of the folder that it is in -> its media type."""
    # Not guess_type(): it takes the name for a URL.
    _, dot, extension = name.rpartition(".")
    if dot:
        extension = extension.lower()
        return _TABLE.get(extension) or _built_in().get("." + extension, DEFAULT_TYPE)
    name = name.lower()
    return _BY_NAME.get(name) or _BY_NAME.get(f"{folder.lower()}/{name}", DEFAULT_TYPE)


def takes_charset(media: str) -> bool:
    """Whether a charset can be added to a media type: it is text, and has none."""
    media = media.lower()
    return media.startswith("text/") and "charset=" not in media


def is_utf8(sample: bytes) -> bool:
    """Whether this beginning of a file can be that of a text in UTF-8; its last character may be cut."""
    try:
        _new_decoder().decode(sample)
    except UnicodeDecodeError:
        return False
    return _ISO_2022.search(sample) is None
