"""The stylesheet and the icons of a listing's page, which contains them. The page has no script."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --ground: #fff; --over: #f2f5f8;
  --link: #0a58a8; --folder: #b5740b; --picture: #1a7f37; --sound: #8250df; --film: #bf3989; --code: #0a58a8;
  --packed: #9a5b13; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9aa5b1; --line: #343b45; --ground: #11151a; --over: #1c222a; --link: #82b8ff;
    --folder: #e3b341; --picture: #56d364; --sound: #bc9bff; --film: #f58fc5; --code: #82b8ff; --packed: #e0a458; }
}
* { box-sizing: border-box; }
body { max-width: 64rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
svg { flex: none; width: 1.25em; height: 1.25em; margin: .125em .6em 0 0; fill: none; stroke: var(--soft);
  stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.sprite { position: absolute; width: 0; height: 0; }
.folder { stroke: var(--folder); } .picture { stroke: var(--picture); } .sound { stroke: var(--sound); }
.film { stroke: var(--film); } .code { stroke: var(--code); } .packed { stroke: var(--packed); }
h1 { margin: 0 0 .25rem; font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
h1 a, h1 span, td a, li a { unicode-bidi: isolate; }
h1 i { margin: 0 .35em; color: var(--soft); font-style: normal; font-weight: 400; }
.bar { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0 0 1rem; color: var(--soft); font-size: .9rem; }
.bar p { margin: 0; }
.bar a, .bar b { margin-right: .75rem; }
.bar b { color: var(--text); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-variant-numeric: tabular-nums; }
th { font-size: .9rem; font-weight: 600; text-align: left; white-space: nowrap; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:nth-child(2), td:nth-child(2) { width: 7rem; text-align: right; }
th:nth-child(3), td:nth-child(3) { width: 12rem; padding-left: 1.5rem; }
td { overflow-wrap: anywhere; }
td:nth-child(n+2) { color: var(--soft); }
td a { display: flex; }
tbody tr:hover { background: var(--over); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .75rem; margin: 0;
  padding: 0; list-style: none; }
.grid li { content-visibility: auto; contain-intrinsic-size: auto 11rem; }
.grid a { display: block; padding: .5rem; border: 1px solid var(--line); border-radius: .5rem; color: var(--text);
  font-size: .875rem; text-align: center; overflow-wrap: anywhere; }
.grid a:hover { background: var(--over); }
.grid img, .grid svg { display: block; width: 100%; height: 8rem; margin: 0 0 .4rem; object-fit: contain; }
.grid svg { padding: 1.75rem; stroke-width: 1.2; }
@media (max-width: 36rem) {
  body { padding: .75rem .75rem 2rem; }
  th, td { padding: .5rem .25rem; }
  th:nth-child(2), td:nth-child(2) { width: 4.75rem; font-size: .85rem; }
  th:nth-child(3), td:nth-child(3) { width: 6.75rem; padding-left: .75rem; font-size: .85rem; }
  .grid { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .5rem; }
}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode("ascii")).digest()).decode("ascii")
# Whatever a file name contains, the page runs no script and loads only its style and this server's pictures.
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src 'self'; base-uri 'none'; form-action 'none'"

_PAGE_OUTLINE: Final = '<path d="M6 2.8h8l4.5 4.5v13.9H6zM13.8 3v4.5h4.4"/>'
_SHAPES: Final = {
    "folder": '<path d="M3 6.5h6.5l2 2.5H21v10.5H3z"/>',
    "file": _PAGE_OUTLINE,
    "text": _PAGE_OUTLINE + '<path d="M9 11.5h6.5M9 14.5h6.5M9 17.5h4"/>',
    "picture": '<path d="M3 4.5h18v15H3zM3.4 17l5.2-5.5 4 4 2.8-2.6 5.2 4.6"/><circle cx="15.5" cy="8.7" r="1.6"/>',
    "film": '<path d="M3 5h18v14H3zM7.2 5v14M16.8 5v14M3 9.7h4.2M3 14.3h4.2M16.8 9.7H21M16.8 14.3H21"/>',
    "sound": '<path d="M9.2 17.5v-12l10-2v12"/><circle cx="6.7" cy="17.5" r="2.5"/>'
    '<circle cx="16.7" cy="15.5" r="2.5"/>',
    "code": '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5M13.6 4.5l-3.2 15"/>',
    "packed": '<path d="M4 8h16v12.5H4zM3 3.5h18V8H3zM9.5 11.5h5"/>',
    "print": _PAGE_OUTLINE + '<path d="M9 18.2c2.6-1.8 3.4-5 3.2-7.2.6 2.7 2 4.4 3.8 5-2.2 0-4.6.8-7 2.2z"/>',
}
SPRITE: Final = (
    '<svg class="sprite" aria-hidden="true">'
    + "".join(f'<symbol id="{kind}" viewBox="0 0 24 24">{shape}</symbol>' for kind, shape in _SHAPES.items())
    + "</svg>"
)
