"""Regular expressions for everything that is read from the wire, each beside its ABNF. All match in linear time.

`int()`, and `strip()` and `split()` without arguments, accept more than HTTP allows (signs, underscores, digits of
other scripts, other white space). So bytes from the wire are matched by one of these expressions first.

Those that few requests need are texts, which `re` compiles when they are first used, and keeps: all of them together
would take 4 ms of each start.
"""

from __future__ import annotations

import re
from typing import Final

CRLF: Final = b"\r\n"
HEAD_END: Final = b"\r\n\r\n"
# RFC 9112 2.2 allows to take a bare LF for a line end; that is how requests are smuggled.
BARE_LF: Final = re.compile(rb"(?<!\r)\n")

# RFC 9110 5.6.2   token = 1*tchar
#                  tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" /
#                          DIGIT / ALPHA
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TOKEN_TEXT: Final = re.compile(_TOKEN.decode("ascii"))

# RFC 9112 3       request-line = method SP request-target SP HTTP-version
# RFC 9112 2.3     HTTP-version = HTTP-name "/" DIGIT "." DIGIT
# The target is any run of visible ASCII here; target.py checks its form.
REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
# Nearly all of them: in origin-form (RFC 9112 3.2.1), with nothing to decode in the path. Method, target, path, query.
USUAL_LINE: Final = re.compile(
    rf"(?!CONNECT )({_TOKEN.decode('ascii')}) "
    r"((/[\x21\x22\x24\x26-\x3e\x40-\x7e]*)(?:\?([\x21\x22\x24-\x7e]*))?) HTTP/1\.1"
)
REQUEST_LINE_BEGIN: Final = re.compile(_TOKEN)

# RFC 9112 5       field-line = field-name ":" OWS field-value OWS
# RFC 9110 5.5     field-value = *field-content, of VCHAR, obs-text (%x80-FF), SP and HTAB
# The white space around the value is removed afterwards, so that matching takes linear time.
_FIELD_VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*"
FIELD_VALUE: Final = re.compile(_FIELD_VALUE)
FIELD_LINE: Final = re.compile(rb"(" + _TOKEN + rb"):(" + _FIELD_VALUE + rb")")
OWS: Final = b" \t"
OWS_TEXT: Final = " \t"

# RFC 9110 8.6     Content-Length = 1*DIGIT
CONTENT_LENGTH: Final = re.compile(r"[0-9]+")

# RFC 9112 7.1     chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF ; chunk-size = 1*HEXDIG
# RFC 9112 7.1.1   chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
#                  chunk-ext-val = token / quoted-string
# RFC 9110 5.6.4   quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
_QUOTED_STRING: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
QUOTED_STRING_TEXT: Final = _QUOTED_STRING.decode("ascii")
CHUNK_LINE: Final = re.compile(
    rb"0*([1-9A-Fa-f][0-9A-Fa-f]{0,15}|0)"
    rb"(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED_STRING + rb"))?)*"
)
# The same, as nearly all clients write it: a size, and its CRLF.
SHORT_CHUNK_LINE: Final = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,7})\r\n")

# RFC 9112 6.1     Transfer-Encoding = #transfer-coding
# RFC 9112 7       transfer-coding = token *( OWS ";" OWS token BWS "=" BWS ( token / quoted-string ) )
# Those before the last one may be any but chunked, which is not applied twice (RFC 9112 6.1). None of them is known.
_CODING: Final = (
    rf"(?!chunked[ \t;,]){TOKEN_TEXT.pattern}(?:[ \t]*;[ \t]*{TOKEN_TEXT.pattern}[ \t]*=[ \t]*"
    rf"(?:{TOKEN_TEXT.pattern}|{QUOTED_STRING_TEXT}))*"
)
OTHER_CODINGS: Final = rf"(?ia)(?:{_CODING}[ \t]*,[ \t]*)+chunked"

# RFC 9110 4.2     http-URI authority, without userinfo (RFC 9110 4.2.4 asks to treat it as an error)
# RFC 3986 3.2.2   host = IP-literal / IPv4address / reg-name ; port = *DIGIT
# A comma is allowed there (sub-delims), but a Host field with one is a list of hosts. hosts.py looks closer.
_UNRESERVED_SUB: Final = r"A-Za-z0-9\-._~!$&'()*+;="
# Only the characters of an IPv6address are checked here; hosts.py parses it.
_HOST: Final = (
    r"(?:\[([0-9A-Fa-f:.]+)\]"
    rf"|\[v[0-9A-Fa-f]+\.[{_UNRESERVED_SUB}:]+\]"
    rf"|[{_UNRESERVED_SUB}%]*)"
)
HOST: Final = re.compile(rf"({_HOST})(?::(0*[0-9]{{0,5}}))?")  # host, IPv6address, port

# RFC 9112 3.2.2   absolute-form = absolute-URI, with the schemes http and https
ABSOLUTE_FORM: Final = r"(?:[Hh][Tt][Tt][Pp][Ss]?)://([^/?#]+)([/?].*)?"

# RFC 3986 2.1     pct-encoded = "%" HEXDIG HEXDIG ; this finds a percent sign that begins none, as people write it
BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

# RFC 9110 15      status-code = 3DIGIT ; RFC 9112 4  status-line's reason-phrase = 1*( HTAB / SP / VCHAR / obs-text )
STATUS_TEXT: Final = re.compile(r"([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)|([1-9][0-9]{2})")
FIELD_VALUE_TEXT: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# RFC 9110 12.4.2  weight = OWS ";" OWS "q=" qvalue ; qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
QVALUE: Final = r"[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)"

# RFC 9110 12.5.3  Accept-Encoding = #( codings [ weight ] ) ; codings = content-coding / "identity" / "*"
# RFC 9110 8.4.1   content-coding = token, as is "*"; this is one list member without the white space around it
ACCEPTED_CODING: Final = rf"({TOKEN_TEXT.pattern})" + r"(?:[ \t]*;[ \t]*" + QVALUE + r")?"

# RFC 9110 8.8.3   entity-tag = [ weak ] opaque-tag ; opaque-tag = DQUOTE *etagc DQUOTE
#                  etagc = %x21 / %x23-7E / obs-text
ENTITY_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
# RFC 9110 5.6.1   1#element, here with any commas and white space between and before them
TAG_IN_LIST: Final = re.compile(r"[ \t,]*" + ENTITY_TAG.pattern)

# RFC 9110 14.2    Range = ranges-specifier ; ranges-specifier = range-unit "=" range-set ; range-set = 1#range-spec
RANGES: Final = r"(" + TOKEN_TEXT.pattern + r")=([\t\x20-\x7e]*)"
# RFC 9110 14.1.1  int-range = first-pos "-" [ last-pos ] ; first-pos = 1*DIGIT ; last-pos = 1*DIGIT
#                  suffix-range = "-" suffix-length ; suffix-length = 1*DIGIT
# White space around the hyphen is not in the grammar, but other servers accept it and clients send it. White space
# around the whole is removed before, so that matching takes linear time.
RANGE_SPEC: Final = r"([0-9]+)[\t ]*-[\t ]*([0-9]*)|-[\t ]*([0-9]+)"  # first, last, suffix


def number(digits: str) -> int:
    """ASCII digits, or nothing -> their value, at most 10**64: int() takes long for many digits, or refuses them."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 64 else 10**64
