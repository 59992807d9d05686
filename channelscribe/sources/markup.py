"""Markup as people publish it, made into a tree: XML where it is XML, else what was meant, and where it was lost.

Feeds come with HTML's entities, bare ampersands, tags that nobody closes, in an encoding that is not the declared
one, and cut off in the middle. What is well-formed goes straight through libxml2. Else the text is mended first
(`_Mender`): what comes out of it is balanced, so the tree is that of whoever wrote the feed and not one of a parser's
recovery, and each loss has the line and column of the original. Entities that a document declares itself are not
expanded.
"""

from __future__ import annotations

import codecs
import html
import re
from dataclasses import dataclass
from html.entities import html5

from lxml import etree

from channelscribe.errors import NoMedia

__all__ = ["Document", "Loss", "decode", "read_html", "read_markup", "without_tags"]

_UTF_16 = {b"\x3c\x00": "utf-16-le", b"\x00\x3c": "utf-16-be"}
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What browsers take a label for (https://encoding.spec.whatwg.org/#names-and-labels); utf-7 is none.
_MEANT = {
    **dict.fromkeys(("iso8859-1", "ascii"), "cp1252"),
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_DECLARED = re.compile(rb"""<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_PROLOG = re.compile(r"<\?xml\b.{0,1000}?\?>", re.DOTALL)
_BEGINNING = re.compile(r"<(?:\?xml|rss|feed|rdf:rdf|opml|html|channel)\b", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]{0,1000}(\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(r"&(?:(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});)?")
_NAME = r"[A-Za-z_][\w:.-]*"
_TOKEN = re.compile(
    r"<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<[?!][^>]*>"
    rf"|</(?P<end>{_NAME})[^<>]*>"
    rf"|<(?P<start>{_NAME})(?P<attributes>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>"
    rf"|<(?P<torn>{_NAME})(?P<rest>[^<>]*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""(?<![^\s"'<>/=])([^\s"'<>/=]++)\s*+=\s*+("[^"<]*"|'[^'<]*'|[^\s"'<>]+)""")
_NEVER_CLOSED = {"br", "hr", "img", "wbr", "input", "embed"}
_RECORDS = {"item", "entry", "outline"}
_MOST_LOSSES = 100
_START_CHARS = 100_000
_BLOCKS = re.compile(r"<(?:br|/p|/div|/li|/h[1-6]|/tr)\b[^>]*>", re.IGNORECASE)
_TAGS = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be read, with its place in the text as it came; both count from 1."""

    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.what}"


@dataclass(slots=True)
class Document:
    """`cut` is set where the text ended in the middle; then what was open at its end is not in the tree."""

    root: etree._Element
    encoding: str
    losses: list[Loss]
    cut: bool = False


def read_markup(content: bytes, charset: str | None = None, url: str | None = None) -> Document:
    """The tree of a document that came from `url` with this charset in its header, if any.

    Raises NoMedia for what has no element at all.
    """
    text, encoding = decode(content, charset)
    text = _blank(_PROLOG, text)
    if "<!DOCTYPE" not in text[:_START_CHARS].upper() and not _NO_CHARACTER.search(text):
        try:
            return Document(_tree(text.strip(), url, recover=False), encoding, [])
        except etree.XMLSyntaxError:
            pass
    mender = _Mender(_blank(_DOCTYPE, text))
    mended = mender.mend()
    try:
        root = _tree(mended, url, recover=True)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        raise NoMedia(
            "There is no markup in it.", remedy="See in a browser what lies there; a feed begins with <rss or <feed."
        )
    return Document(root, encoding, mender.losses, mender.cut)


def read_html(content: bytes, charset: str | None = None) -> etree._Element | None:
    """The tree of a web page; None for one without an element."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        return etree.fromstring(decode(content, charset)[0].encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None


def decode(content: bytes, charset: str | None = None) -> tuple[str, str]:
    """The text, and the encoding that it was taken to be in.

    What decodes as UTF-8 and is not plain ASCII is UTF-8, whatever is declared: others do not by chance. Then the
    document's own word counts, then the header's; stray bytes in UTF-8 are taken for Windows-1252.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, _STRAY), encoding
    start = content[:512].lstrip(b" \t\r\n")
    if (encoding := _UTF_16.get(start[:2], "")) and len(start) > 3:
        return content.decode(encoding, "replace"), encoding
    if not content.isascii():
        try:
            return content.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    found = _DECLARED.search(content[:1024])
    for label in (found[1].decode("ascii") if found else None, charset):
        if label and (encoding := _codec(label)) not in ("", "utf-8"):
            return content.decode(encoding, "replace"), encoding
    return content.decode("utf-8", _STRAY), "utf-8"


def _codec(label: str) -> str:
    try:
        name = codecs.lookup(label.strip()).name
    except LookupError:
        return ""
    return "" if name.startswith(("utf-16", "utf-32", "utf-7")) else _MEANT.get(name, name)


def _stray(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


_STRAY = "channelscribe.stray"
codecs.register_error(_STRAY, _stray)


def without_tags(text: str) -> str:
    """HTML as a person reads it: no tags, entities as what they mean, a line for each paragraph."""
    if "<" in text:
        text = _TAGS.sub("", _BLOCKS.sub("\n", text))
    text = html.unescape(text).replace("\xa0", " ")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _tree(text: str, url: str | None, *, recover: bool) -> etree._Element:
    """Nothing is fetched, and what a document may declare has been taken out."""
    parser = etree.XMLParser(
        encoding="utf-8", recover=recover, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    return etree.fromstring(text.encode("utf-8", "replace"), parser, base_url=url or "")


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """Without what is found at the start, but everything else at its place."""
    found = pattern.search(text, 0, _START_CHARS)
    return text[: found.start()] + re.sub(r"[^\n]", " ", found[0]) + text[found.end() :] if found else text


class _Mender:
    """Makes balanced markup of a text. `losses` says what could not be kept."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._out: list[str] = []
        self._open: list[tuple[str, int, int]] = []  # name, where it began, where it is in `_out`
        self.losses: list[Loss] = []
        self.cut = False

    def mend(self) -> str:
        text, at = self._text, 0
        if (beginning := _BEGINNING.search(text, 0, _START_CHARS)) is not None:
            at = beginning.start()
            if text[:at].strip():
                self._lose(0, "something else comes first")
        for token in _TOKEN.finditer(text, at):
            self._characters(at, token.start())
            at = token.end()
            kind = token.lastgroup
            if kind == "cdata":
                self._out.append(self._plain(html.escape(token["cdata"], quote=False), token.start("cdata")))
            elif kind == "end":
                self._end(token["end"], token.start())
            elif kind in ("attributes", "start"):
                self._start(token["start"], token["attributes"], token.start("attributes"), token.start())
            elif kind in ("rest", "torn"):
                self._start(token["torn"], token["rest"], token.start("rest"), token.start())
        self._tail(at)
        return "".join(self._out)

    def _tail(self, at: int) -> None:
        """What comes after the last whole tag. A record that is open at the end is not kept: its id may be half."""
        half = self._text.find("<", at)
        self._characters(at, half if half >= 0 else len(self._text))
        if not self._open:
            return
        self._lose(len(self._text), f"it ends in the middle, in <{self._open[-1][0]}>")
        self.cut = True
        for depth, (name, start, place) in enumerate(self._open):
            if _local(name) in _RECORDS:
                self._lose(start, f"the <{name}> that begins here is not whole")
                del self._out[place:], self._open[depth:]
                break
        self._close_to(0)

    def _start(self, name: str, attributes: str, at: int, start: int) -> None:
        if not self._open and self._out and self._out[-1].startswith("</"):
            return self._lose(start, f"<{name}> after the end")
        if _local(name) in ("item", "entry"):
            for depth, (other, began, _) in enumerate(self._open):
                if _local(other) == _local(name):
                    self._lose(began, f"<{other}> is not closed before the next one begins")
                    self._close_to(depth)
                    break
        closed = attributes.rstrip().endswith("/") or _local(name) in _NEVER_CLOSED
        written: dict[str, str] = {}
        for found in _ATTRIBUTE.finditer(attributes):
            value = found[2] if found[2][0] not in "\"'" else found[2][1:-1]
            written.setdefault(found[1], self._plain(value, at + found.start(2)).replace('"', "&quot;"))
        pairs = "".join(f' {key}="{value}"' for key, value in written.items() if re.fullmatch(_NAME, key))
        if not closed:
            self._open.append((name, start, len(self._out)))
        self._out.append(f"<{name}{pairs}{'/' if closed else ''}>")
        return None

    def _end(self, name: str, start: int) -> None:
        if _local(name) in _NEVER_CLOSED:
            return
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0].lower() == name.lower():
                for inner, began, _ in self._open[depth + 1 :]:
                    self._lose(began, f"<{inner}> is not closed")
                self._close_to(depth)
                return
        self._lose(start, f"</{name}> closes nothing")

    def _close_to(self, depth: int) -> None:
        while len(self._open) > depth:
            self._out.append(f"</{self._open.pop()[0]}>")

    def _characters(self, start: int, end: int) -> None:
        text = self._text[start:end]
        if self._open and text:
            self._out.append(self._plain(text, start))
        elif text.strip():
            self._lose(start + len(text) - len(text.lstrip()), f"text outside of it: {text.split()[0][:40]!r}")

    def _plain(self, text: str, at: int) -> str:
        """Character data: HTML's entities as characters, a bare & as such, no character that XML does not know."""
        if bad := _NO_CHARACTER.search(text):
            self._lose(at + bad.start(), f"a character that may not be there (U+{ord(bad[0]):04X})")
            text = _NO_CHARACTER.sub("", text)
        if "&" in text:
            text = _REFERENCE.sub(_meaning, text)
        return text.replace("<", "&lt;").replace("]]>", "]]&gt;")

    def _lose(self, at: int, what: str) -> None:
        if len(self.losses) < _MOST_LOSSES:
            before = self._text.rfind("\n", 0, at)
            self.losses.append(Loss(self._text.count("\n", 0, at) + 1, at - before, what))


def _meaning(found: re.Match[str]) -> str:
    """A reference as XML has it."""
    known = _XML.get(found[0])
    if known is None:
        # Browsers take &#128; to &#159; for Windows-1252, and so do those who write them.
        meant = html.unescape(found[0]) if found[0].startswith("&#") else html5.get(found[0][1:], found[0])
        known = html.escape(_NO_CHARACTER.sub("", meant))
        if len(_XML) < 5000:
            _XML[found[0]] = known
    return known


_XML = {each: each for each in ("&amp;", "&lt;", "&gt;", "&quot;", "&apos;")}
"""References as XML has them, those that were met before too."""


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
