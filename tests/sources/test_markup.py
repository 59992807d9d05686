"""Markup that is not quite XML: what was meant is read, what was lost is said with its place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from channelscribe.errors import NoMedia
from channelscribe.sources.markup import decode, read_html, read_markup, without_tags


def texts(content: bytes) -> list[str]:
    return [each.text or "" for each in read_markup(content).root.iter("title")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"Caf&eacute;&nbsp;&ndash; A & B", "Café\xa0– A & B"),
        (b"&#150; &#x2014; &copy=1 &nothing; &lt;b&gt;", "– — &copy=1 &nothing; <b>"),
        (b"<![CDATA[A & B &amp; <i>C</i>]]> &eacute;", "A & B &amp; <i>C</i> é"),
        (b"1 < 2 &eacute;", "1 < 2 é"),
    ],
)
def test_what_was_meant_is_read_and_nothing_is_lost(written: bytes, meant: str) -> None:
    document = read_markup(b"<rss><channel><title>%s</title></channel></rss>" % written)
    assert [each.text for each in document.root.iter("title")] == [meant]
    assert document.losses == []


@pytest.mark.parametrize(
    ("content", "kept", "losses"),
    [
        (b"<rss>\n<title>a\x0bb &eacute;</title>\n</rss>", ["ab é"], ["line 2, column 9"]),
        (b"<rss>\n<item><title>one</item>\n</rss>", ["one"], ["line 2, column 7"]),
        (b"<rss><title>one</title>\n</b></rss>", ["one"], ["line 2, column 1"]),
        (b"<rss><item><title>one</title>\n<item><title>two</title></item></rss>", ["one", "two"], ["line 1, column 6"]),
        (b"PHP Warning\n<rss><title>one</title></rss>\n<p>x</p>", ["one"], ["line 1, column 1", "line 3, column 1"]),
    ],
)
def test_what_is_lost_is_said_with_its_place(content: bytes, kept: list[str], losses: list[str]) -> None:
    document = read_markup(content)
    assert [each.text for each in document.root.iter("title")] == kept
    assert [str(each).partition(":")[0] for each in document.losses][: len(losses)] == losses


def test_a_document_that_was_cut_off_keeps_what_is_whole() -> None:
    content = b"<rss><channel><item><title>one</title></item>\n<item><title>two</title><guid>ab"
    document = read_markup(content)
    assert document.cut and texts(content) == ["one"]
    assert [str(loss) for loss in document.losses] == [
        "line 2, column 33: it ends in the middle, in <guid>",
        "line 2, column 1: the <item> that begins here is not whole",
    ]


def test_attributes_that_are_glued_bare_or_there_twice() -> None:
    root = read_markup(b'<rss><a x=\'1\'y="2&3" z=4 x="5" checked><br><b/></a>&eacute;</rss>').root
    assert dict(root[0].items()) == {"x": "1", "y": "2&3", "z": "4"}
    assert [each.tag for each in root[0]] == ["br", "b"]


@pytest.mark.parametrize("blank", [b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_blanks_before_the_declaration(blank: bytes) -> None:
    document = read_markup(blank + b'<?xml version="1.0"?><rss><title>a</title></rss>')
    assert document.root.tag == "rss" and document.losses == []


def test_entities_of_a_document_are_not_expanded_and_nothing_is_fetched(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    secret = tmp_path_factory.mktemp("x") / "secret"
    secret.write_text("secret")
    bomb = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    content = f"""<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "lol">{bomb}<!ENTITY f SYSTEM "file://{secret}">]>
        <rss><title>&l9;&f;</title></rss>"""
    assert texts(content.encode()) == ["&l9;&f;"]


@pytest.mark.parametrize(
    ("content", "charset", "encoding", "text"),
    [
        ('<?xml version="1.0" encoding="ISO-8859-1"?>Größe'.encode("latin-1"), None, "cp1252", "Größe"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>Größe'.encode("latin-1"), "utf-8", "cp1252", "Größe"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>Größe'.encode(), None, "utf-8", "Größe"),
        ('<?xml version="1.0" encoding="utf-8"?>Größe'.encode(), "iso-8859-1", "utf-8", "Größe"),
        ('<?xml version="1.0" encoding="utf-8"?>Größe'.encode("latin-1"), None, "utf-8", "Größe"),
        ('<?xml version="1.0" encoding="windows-1252"?>„so“ – 5 €'.encode("cp1252"), None, "cp1252", "„so“ – 5 €"),
        ('<?xml version="1.0" encoding="windows-1251"?>Привет'.encode("cp1251"), None, "cp1251", "Привет"),
        ("Привет".encode("koi8-r"), "koi8-r", "koi8-r", "Привет"),
        ('<?xml version="1.0" encoding="Shift_JIS"?>こんにちは'.encode("cp932"), None, "cp932", "こんにちは"),
        ('<?xml version="1.0" encoding="utf-16"?>Größe'.encode("utf-16"), None, "utf-16-le", "Größe"),
        ('<?xml version="1.0" encoding="utf-16"?>Größe'.encode("utf-16-be"), "utf-8", "utf-16-be", "Größe"),
        ("\ufeffGröße".encode(), "latin-1", "utf-8", "Größe"),
        ('<?xml version="1.0" encoding="x-nobody"?>Größe'.encode("cp1252"), None, "utf-8", "Größe"),
    ],
)
def test_bytes_by_their_declaration(content: bytes, charset: str | None, encoding: str, text: str) -> None:
    found, name = decode(content, charset)
    assert (found.rpartition(">")[2], name) == (text, encoding)


def test_nothing_is_no_markup() -> None:
    for content in (b"", b"  \n", b"words", b"<", b"\x00\x01\x02", b'{"a": 1}'):
        with pytest.raises(NoMedia):
            read_markup(content)
        assert read_html(b"") is None


@pytest.mark.parametrize(
    "content",
    [b"<a " + b"x" * 300_000, b"<rss>" + b'<a x="' * 50_000, b" " * 500_000 + b"<rss>", b"<!--" * 100_000,
     b"<rss>" + b"</b>" * 100_000, b"<rss>" + b"<b>" * 50_000, b"<rss>&eacute;" + b"<b x='" * 50_000 + b">"],
)  # fmt: skip
def test_hostile_markup_costs_no_more_than_its_length(content: bytes) -> None:
    """Each took hours where an expression goes back and forth."""
    with contextlib.suppress(NoMedia):
        read_markup(content)


@given(st.text(alphabet="<>/&;=\"' abé!?[]-CDAT\n", max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_a_tree_or_is_refused(text: str) -> None:
    try:
        root = read_markup(f"<rss>{text}".encode()).root
    except NoMedia:
        return
    assert etree.tostring(root)


@pytest.mark.slow
@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=100))
@settings(max_examples=200, deadline=None)
def test_texts_survive_mending(text: str) -> None:
    """An undeclared entity beside it makes the mender work on it."""
    written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    found = read_markup(f"<rss>&eacute;<t>{written}</t></rss>".encode()).root[0].text or ""
    assert found == text.replace("\ufffe", "").replace("\uffff", "")


def test_html_as_people_read_it() -> None:
    assert (
        without_tags("<p>One &amp; two</p><p>three<br>four</p><ul><li>five</li></ul>") == "One & two\nthree\nfour\nfive"
    )
