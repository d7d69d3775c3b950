"""The stylesheet of a listing's page, which contains it, and the policy that allows it and the script."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from tpserver.files.listing_script import SCRIPT

# A row is a box of its own, in which a link covers all; some browsers do not position a table's row.
STYLE: Final = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --ground: #fff; --over: #f2f5f8;
  --link: #0a58a8; --folder: #b5740b; --picture: #1a7f37; --sound: #8250df; --film: #bf3989; --code: #0a58a8;
  --packed: #9a5b13; --document: #2b5fb3; --sheet: #1a7f37; --program: #59636e; --print: #c0362c; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9aa5b1; --line: #343b45; --ground: #11151a; --over: #1c222a; --link: #82b8ff;
    --folder: #e3b341; --picture: #56d364; --sound: #bc9bff; --film: #f58fc5; --code: #82b8ff; --packed: #e0a458;
    --document: #8fb4f5; --sheet: #56d364; --program: #b3bdc9; --print: #ff8a80; }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { max-width: 64rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
a, button { color: var(--link); text-decoration: none; }
a:hover, button:hover { text-decoration: underline; }
form { display: inline; margin: 0; }
button { min-width: 1.5rem; min-height: 1.75rem; margin: 0; padding: 0; border: 0; background: none; font: inherit;
  overflow-wrap: anywhere; text-align: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
svg { flex: none; width: 1.25em; height: 1.25em; margin: .125em .6em 0 0; fill: none; stroke: var(--soft);
  stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.sprite { position: absolute; width: 0; height: 0; }
.folder { stroke: var(--folder); } .picture { stroke: var(--picture); } .sound { stroke: var(--sound); }
.film { stroke: var(--film); } .code { stroke: var(--code); } .packed { stroke: var(--packed); }
.document { stroke: var(--document); } .sheet { stroke: var(--sheet); } .program { stroke: var(--program); }
.print { stroke: var(--print); }
.path { margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.4; }
.path nav, h1 { display: inline; overflow-wrap: anywhere; }
.path a { display: inline-block; min-height: 1.75rem; }
h1 { margin: 0; font-size: inherit; font-weight: 600; }
h1, nav a, nav button, td a, li a { unicode-bidi: isolate; }
.path i { margin: 0 .35em; color: var(--soft); font-style: normal; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; margin: 0 0 .75rem; color: var(--soft);
  font-size: .9rem; }
.bar p { flex: auto; margin: 0; }
.bar button, .bar b { margin-right: .75rem; }
.bar b { color: var(--text); }
input { width: 14rem; max-width: 100%; min-height: 2.25rem; padding: .25rem .6rem; border: 1px solid var(--soft);
  border-radius: .4rem; background: var(--ground); color: var(--text); font: inherit; }
table, caption, thead, tbody, th, td { display: block; }
table { font-variant-numeric: tabular-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
tr { display: grid; grid-template-columns: minmax(0, 1fr) 7rem 12rem; position: relative;
  border-bottom: 1px solid var(--line); }
th { padding: .1rem .5rem; font-size: .9rem; font-weight: 600; text-align: left; white-space: nowrap; }
th button { font-weight: inherit; }
td { padding: .45rem .5rem; }
th:nth-child(2), td:nth-child(2) { text-align: right; }
th:nth-child(3), td:nth-child(3) { padding-left: 1.5rem; }
td:first-child { display: flex; overflow-wrap: anywhere; }
td:nth-child(n+2), .utc { color: var(--soft); font-weight: 400; }
td a { flex: 1; min-width: 0; }
.utc { margin-left: .35em; }
td a::after, .grid a::after { content: ""; position: absolute; inset: 0; }
td a:focus-visible, .grid a:focus-visible { outline: none; }
td a:focus-visible::after, .grid a:focus-visible::after { outline: 2px solid var(--link); outline-offset: -2px; }
tbody tr:hover { background: var(--over); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .75rem; margin: 0;
  padding: 0; list-style: none; }
.grid li { position: relative; height: 14rem; padding: .5rem; border: 1px solid var(--line); border-radius: .5rem;
  font-size: .875rem; text-align: center; overflow: hidden; content-visibility: auto;
  contain-intrinsic-size: auto 14rem; }
.grid li:hover { background: var(--over); }
.grid img, .grid svg { display: block; width: 100%; height: 8rem; margin: 0 0 .4rem; object-fit: contain; }
.grid svg { padding: 1.75rem; stroke-width: 1.2; }
.grid a { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
  min-height: 1.5rem; color: var(--text); line-height: 1.35; overflow-wrap: anywhere; }
.grid small { display: block; margin-top: .15rem; color: var(--soft); font-size: .75rem; line-height: 1.35; }
.grid time, .grid small b { display: block; font-weight: 400; }
@media (max-width: 40rem) {
  body { padding: .75rem .75rem 2rem; }
  .bar { gap: .5rem 1rem; }
  .bar p, .bar .search { flex: 0 0 100%; }
  input { width: 100%; min-height: 2.5rem; font-size: 1rem; }
  thead tr { display: flex; gap: 1.25rem; }
  th, th:nth-child(n) { padding: 0; text-align: left; }
  tbody tr { display: flex; flex-wrap: wrap; align-content: center; min-height: 3.25rem; padding: .4rem .25rem; }
  td, td:nth-child(n) { padding: 0; text-align: left; }
  td:first-child { flex: 0 0 100%; min-width: 0; }
  td a { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  td:nth-child(2) { margin-left: 1.85rem; }
  td:nth-child(2):not(:empty)::after { content: "\\a0\\b7\\a0"; }
  td:nth-child(n+2) { font-size: .8rem; line-height: 1.4; }
  .grid { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .5rem; }
}
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('ascii')).digest()).decode('ascii')}'"


# Whatever a file name contains, the page runs only its own script, and loads only its style and this server's pictures.
POLICY: Final = (
    f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'self'"
)
