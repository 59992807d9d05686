"""Search: what it finds, how it filters, and that nothing a person types breaks it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channelscribe.catalogue import entities, leases, publishing, search
from channelscribe.catalogue import videos as video_rows
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.search import Hit, url_at
from channelscribe.catalogue.search_query import LANGUAGES, Question, configuration, searched_words
from channelscribe.errors import UsageError
from channelscribe.text.names import entity_key
from tests.catalogue.records import OWNER, Listed, Video, published, spoken
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def library(new_database: NewDatabase) -> Database:
    """Three videos: two in English (one of another channel and day), one in German."""
    catalogue = Database(new_database())
    published(
        catalogue,
        spoken("The lighthouse keeper was running home", "Nobody saw Ada Lovelace"),
        Video("en1", published=date(2024, 1, 1)),
    )
    other = Listed(url="https://example.org/feed", title="Second Feed", source_id="feed-2", site="generic")
    published(
        catalogue,
        spoken("Lighthouses everywhere", speaker="S1"),
        Video("en2", published=date(2023, 1, 1), site="generic", url="https://example.org/2.mp3"),
        other,
    )
    published(catalogue, spoken("Der Leuchtturmwärter läuft nach Hause", language="de"), Video("de1"))
    video = catalogue.run(video_rows.find_videos, "en1")[0]
    catalogue.run(leases.claim, [video.id], OWNER, 60, only_due=False)
    name = {"text": "Ada Lovelace", "key": "ada lovelace", "label": "PERSON", "start_char": 50, "end_char": 62}
    reading = {"entities": [{**name, "start": 3.0, "end": 4.0, "speaker": "S0"}]}
    transcript = spoken("The lighthouse keeper was running home", "Nobody saw Ada Lovelace")
    catalogue.run(publishing.publish, video.id, OWNER, "with names", transcript, reading, {})
    return catalogue


def videos(hits: list[Hit]) -> list[str]:
    return [hit.video for hit in hits]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lighthouse", {"en1", "en2"}),
        ("run", {"en1"}),
        ('"lighthouse keeper"', {"en1"}),
        ("lighthouse -keeper", {"en2"}),
        ("LEUCHTTURMWÄRTER", {"de1"}),
        ("laufen", set()),
        ("leuchtturmwärter or everywhere", {"de1", "en2"}),
        ("the", set()),
        ("", set()),
        ("   ", set()),
        ("lightho*", {"en1", "en2"}),
        ("RUNN*", {"en1"}),  # the word as it was said, not its stem
        ("lightho* -keep*", {"en2"}),
        ('"keeper lighthouse"', set()),
        ('"running home" OR everywhere', {"en1", "en2"}),
        ('home "the lighthouse keeper was"', {"en1"}),
        ("“lighthouse keeper”", {"en1"}),
        ("leuchtturmwärtern", {"de1"}),  # the stem by German rules
        ("häus* OR nach haus", {"de1"}),
        ("(lighthouse) & keeper!", {"en1"}),
        ("everywhere OR (keeper AND home)", {"en1", "en2"}),
        ('(lighthouse) AND (everywhere OR "keeper was")', {"en1", "en2"}),
        ("lighthouse AND (everywhere OR nowhere)", {"en2"}),
        ("lighthouse -(keeper OR nowhere)", {"en2"}),
        ("lighthouse NOT (everywhere running)", {"en1", "en2"}),
        ("lighthouse AND NOT keeper", {"en2"}),
        ("((((((((((((lighthouse everywhere", {"en2"}),
        (") lighthouse ) ) everywhere (", {"en2"}),
        ("rock and lighthouse", set()),  # in small letters it is a word; English rules leave it out
        ("*", set()),
        ('"home nobody"', {"en1"}),  # over the end of a segment
    ],
)
def test_queries(library: Database, query: str, found: set[str]) -> None:
    assert set(videos(library.run(search.search, Question(query)))) == found


def test_a_hit_says_where_and_when(library: Database) -> None:
    (hit,) = library.run(search.search, Question("everywhere"))
    assert (hit.title, hit.speaker, hit.start, hit.end) == ("A title", "S1", 0.0, 2.0)
    assert hit.highlighted == "Lighthouses **everywhere**"
    assert hit.url == "https://example.org/2.mp3#t=0"
    (hit,) = library.run(search.search, Question("nobody"))
    assert hit.url == "https://www.youtube.com/watch?v=en1&t=2s"


def test_filters(library: Database) -> None:
    for channel in ("second feed", "FEED-2", "generic:feed-2", "https://example.org/feed"):
        assert videos(library.run(search.search, Question("lighthouse", channel=channel))) == ["en2"]
    assert videos(library.run(search.search, Question("lighthouse", speaker="S1"))) == ["en2"]
    assert videos(library.run(search.search, Question("lighthouse", since=date(2023, 6, 1)))) == ["en1"]
    assert videos(library.run(search.search, Question("nobody", entity="Ada  LOVELACE"))) == ["en1"]
    assert videos(library.run(search.search, Question("lighthouse", entity="Ada Lovelace"))) == []
    assert [hit.text for hit in library.run(search.search, Question("", entity="ada lovelace"))] == [
        "Nobody saw Ada Lovelace"
    ]
    assert len(library.run(search.search, Question("lighthouse"), limit=1)) == 1
    assert library.run(search.search, Question("lighthouse", channel="nobody's")) == []


def test_only_current_transcripts_are_searched(library: Database) -> None:
    # en1 was published twice with the same words
    assert videos(library.run(search.search, Question("keeper"))) == ["en1"]


def test_names_are_counted(library: Database) -> None:
    (count,) = library.run(entities.entity_counts)
    assert (count.text, count.key, count.label, count.mentions, count.videos) == (
        "Ada Lovelace", "ada lovelace", "PERSON", 1, 1,
    )  # fmt: skip
    assert (
        library.run(entities.entity_counts, label="GPE") == library.run(entities.entity_counts, channel="feed-2") == []
    )


def named(catalogue: Database, video: str, source: Listed, *names: str) -> None:
    """A video of one segment in which these places are named."""
    text, entities = " ".join(names), []
    for name in names:
        start = text.index(name)
        place = {"start_char": start, "end_char": start + len(name), "start": 0.0, "end": 2.0, "speaker": "S0"}
        entities.append({"text": name, "key": entity_key(name), "label": "GPE", **place})
    published(catalogue, spoken(text), Video(video, site=source.site, url=f"https://example.org/{video}"), source)
    pk = next(row.id for row in catalogue.run(video_rows.find_videos, video))
    catalogue.run(leases.claim, [pk], OWNER, 60, only_due=False)
    catalogue.run(publishing.publish, pk, OWNER, f"names of {video}", spoken(text), {"entities": entities}, {})


def test_spellings_of_a_name_count_together_within_a_channel(catalogue: Database) -> None:
    one, other = (
        Listed(url=f"https://example.org/{n}", title=f"Feed {n}", source_id=f"f{n}", site="generic") for n in "12"
    )
    named(catalogue, "a", one, *["Lisbon"] * 12, "Lisbon's")
    named(catalogue, "b", one, "LISBAN", "Porto")
    named(catalogue, "c", other, "Lisban")
    found = {(e.text, e.key): (e.mentions, e.videos) for e in catalogue.run(entities.entity_counts, channel="Feed 1")}
    assert found == {("Lisbon", "lisbon"): (14, 2), ("Porto", "porto"): (1, 1)}
    # the other channel has its own count, in which nothing is far more frequent
    assert [(e.text, e.mentions) for e in catalogue.run(entities.entity_counts, channel="Feed 2")] == [("Lisban", 1)]
    everywhere = {(e.key, e.mentions, e.videos) for e in catalogue.run(entities.entity_counts)}
    assert everywhere == {("lisbon", 14, 2), ("porto", 1, 1), ("lisban", 1, 1)}
    for entity in ("Lisbon", "lisban", "the Lisbon's"):
        assert set(videos(catalogue.run(search.search, Question("", entity=entity, channel="Feed 1")))) == {"a", "b"}
    assert videos(catalogue.run(search.search, Question("", entity="porto"))) == ["b"]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=80) | st.text("-\"' oab&|!()<>:*\\", max_size=200))
@example("\x00")
@example("x" * 100_000)
@example("ж" * 5000)
@example('"' * 999)
@example("-" * 50 + "(((&|!<->:*%s %(x)s :name \\ ' ; --")
@example('or or or -or "or')
@example("-lighthouse")
@example("\ud800 東\ud800*")
@example("𝔘" * 10_000)
@example("東" * 10_000)
@example("ที่" * 400 + "*")
@example('"' + "ъ-" * 3000)
@example("'a':* <-> !b | (c & d) \\ \\' :*AB")
@example('-*  -"" "*" OR OR | || or* -or')
def test_nothing_that_is_typed_raises(library: Database, query: str) -> None:
    library.run(search.search, Question(query))
    library.run(search.search, Question("light", channel=query, speaker=query, entity=query, language=query))
    with pytest.raises(UsageError):
        library.run(search.search, Question("light"), after=query)


@pytest.mark.parametrize(
    ("site", "url", "at"),
    [
        ("youtube", "https://www.youtube.com/watch?v=x", "https://www.youtube.com/watch?v=x&t=83s"),
        ("youtube", "https://www.youtube.com/watch?v=x&t=5s", "https://www.youtube.com/watch?v=x&t=83s"),
        ("youtube", "https://youtu.be/x", "https://youtu.be/x?t=83s"),
        ("vimeo", "https://vimeo.com/1", "https://vimeo.com/1#t=83"),
        ("generic", "https://h/a.mp3?x=1#old", "https://h/a.mp3?x=1#t=83"),
        ("generic", "http://[", "http://["),
    ],
)
def test_urls_open_at_the_second(site: str, url: str, at: str) -> None:
    assert url_at(site, url, 83.9) == at


# What was said, what is found in it (with bars between), and what is not.
UNSPACED = {
    "ja": (
        "昨日、東京都庁に行きました。ラーメンはおいしい！",
        '東京|京都|都庁|ラーメン|東|東京都庁に行|"東京都庁"',
        "都東|大阪",
    ),
    "zh": ("我们今天讨论人工智能的发展。AI模型很强", "人工智能|今天|我|AI模型|ai 模型", "智人|模型AI"),
    "th": ("วันนี้เราจะพูดถึงภาษาไทยและน้ำ", "ภาษาไทย|วันนี้|น้ำ|ไทย", "ลาว"),
    "ko": ("저는 서울에서 왔습니다", "서울|서울에서|저*", "부산|서울왔습"),
    "my": ("မင်္ဂလာပါ ခင်ဗျာ", "မင်္ဂလာပါ|ခင်ဗျာ", "ဗျာခင်"),
}


@pytest.mark.parametrize("language", UNSPACED)
def test_scripts_without_spaces(catalogue: Database, language: str) -> None:
    text, found, not_found = UNSPACED[language]
    published(catalogue, spoken(text, language=language), Video("v"))
    assert [query for query in found.split("|") if videos(catalogue.run(search.search, Question(query))) != ["v"]] == []
    assert [query for query in not_found.split("|") if catalogue.run(search.search, Question(query))] == []


def test_what_was_found_is_marked(catalogue: Database) -> None:
    published(catalogue, spoken("He «runs», she was running… <b>runway</b> & don’t"), Video("en"))
    published(catalogue, spoken("今日は東京都庁と東京へ", language="ja"), Video("ja"))

    def marked(query: str) -> str:
        (hit,) = catalogue.run(search.search, Question(query))
        return hit.highlighted

    assert marked("run -tokyo") == "He «**runs**», she was **running**… <b>runway</b> & don’t"
    assert marked("runw*") == "He «runs», she was running… <b>**runway**</b> & don’t"
    assert marked('"she was running"').count("**") == 4  # the stems of a phrase, wherever they are
    assert marked("東京") == "今日は**東京**都庁と**東京**へ"


def test_each_language_has_its_own_rules(catalogue: Database) -> None:
    said = {
        "de": "Die Häuser brannten",
        "fr": "Les maisons brûlaient",
        "es": "¿Dónde están las casas?",
        "ru": "Он видел дома",
    }
    for language, text in said.items():
        published(catalogue, spoken(text, language=language), Video(language))
    for query, language in (("haus", "de"), ("maison", "fr"), ("casa", "es"), ("доме", "ru"), ("dónde", "es")):
        assert videos(catalogue.run(search.search, Question(query))) == [language]
        assert videos(catalogue.run(search.search, Question(query, language=language.upper()))) == [language]
        assert catalogue.run(search.search, Question(query, language="en")) == []


def test_the_database_and_the_program_know_the_same_languages(library: Database) -> None:
    text = "Running Häuser maisons casas дома"
    with library.session() as session:
        for language in (*LANGUAGES, "xx", "ja"):
            stems = "to_tsvector(CAST(:name AS regconfig), :text) || strip(to_tsvector('simple', :text))"
            query = f"SELECT channelscribe_search(:language, :text) = ({stems})"
            same = execute(session, query, language=language, text=text, name=configuration(language)).scalar_one()
            assert same, language


SCRIPTS = "ab Ä'’…«—東京ラー・ｱ、ที่ำ서울ဗျာ𠀀١é\u0301\u200b\u3000♪"


@settings(max_examples=300, deadline=None)
@given(st.text(SCRIPTS, max_size=30) | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
def test_a_query_has_the_words_that_the_index_has(library: Database, text: str) -> None:
    with library.session() as session:
        made, indexed, vector = execute(
            session,
            """SELECT words, to_tsvector('english', words) || strip(to_tsvector('simple', words)),
            channelscribe_search('en', :text) FROM channelscribe_words(:text) AS words""",
            text=text,
        ).one()
    assert searched_words(text).split() == made.split()
    assert vector == indexed


@pytest.mark.parametrize("ranked", [20_000, 3])
def test_pages_hold_each_hit_once_whatever_is_published_between(
    catalogue: Database, monkeypatch: pytest.MonkeyPatch, ranked: int
) -> None:
    """In order of rank, and in order of the videos, as what is too common for ranks."""
    monkeypatch.setattr(search, "RANKED", ranked)
    days = [date(2024, 1, 1), date(2024, 1, 1), None, date(2025, 1, 1)]
    for number, day in enumerate(days):
        said = ["word", "word and word", "nothing", "a word here"]
        published(catalogue, spoken(*said), Video(f"v{number}", published=day))
    whole = catalogue.run(search.search, Question("word"), limit=100)
    assert len(whole) == 12
    if ranked == 3:
        order = [(hit.published or date.min, hit.video, hit.start) for hit in whole]
        assert [video for _, video, _ in order[::3]] == ["v3", "v0", "v1", "v2"]
        assert [start for _, _, start in order] == [0.0, 2.0, 6.0] * 4
    else:
        assert whole[0].rank == whole[3].rank > whole[4].rank == whole[-1].rank
    seen: list[Hit] = []
    for number in range(4):
        seen += (
            page := catalogue.run(search.search, Question("word"), limit=3, after=seen[-1].place if seen else None)
        )
        assert len(page) == 3
        published(catalogue, spoken("word word word"), Video(f"new{number}", published=date(2030, 1, 1 + number)))
    assert [(hit.video, hit.start) for hit in seen] == [(hit.video, hit.start) for hit in whole]
    assert catalogue.run(search.search, Question("word"), limit=3, after=seen[-1].place) == []
    for query, until in (("nothing", None), ("word", date(2026, 1, 1))):
        with pytest.raises(UsageError, match="another search"):
            catalogue.run(search.search, Question(query, until=until), after=seen[0].place)


def test_filters_alone_list_what_they_leave(library: Database) -> None:
    assert videos(library.run(search.search, Question("", until=date(2023, 6, 1)))) == ["en2"]
    assert videos(library.run(search.search, Question("", language="de"))) == ["de1"]
    assert set(videos(library.run(search.search, Question("", since=date(2023, 6, 1), until=date(2024, 2, 1))))) == {
        "en1"
    }


def test_what_is_not_there_is_not_looked_for_in_every_video(library: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(search, "_by_video")
    assert (
        library.run(search.search, Question("xylophone"))
        == library.run(search.search, Question("everywhere", speaker="nobody"))
        == []
    )
    last = library.run(search.search, Question("everywhere"))[-1]
    assert library.run(search.search, Question("everywhere"), after=last.place) == []


@pytest.fixture(scope="module")
def cut(new_database: NewDatabase) -> Database:
    """Segments that end within what is said."""
    catalogue = Database(new_database())
    said = ("We saw the old light", "house keepers running home", "today. State of", "the unions", "here")
    published(catalogue, spoken(*said), Video("en", published=date(2024, 1, 1)))
    published(
        catalogue, spoken("the old light", "house keeper", speaker="S1"), Video("new", published=date(2024, 2, 2))
    )
    published(catalogue, spoken("明日東", "京都知事は", language="ja"), Video("ja"))
    german = spoken("Der alte Turm", "wächter läuft", language="de")
    german.segments[1].language = "en"
    published(catalogue, german, Video("mixed"))
    return catalogue


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Question('"old light house keeper"'), ["new", "en"]),
        (Question('"light houses"'), ["new", "en"]),
        (Question('"light house" running'), ["en"]),
        (Question('"light house" -running'), ["new"]),
        (Question('"state of the union"'), ["en"]),
        (Question('"keeper light"'), []),
        (Question('"light keeper"'), []),
        (Question('"running home today state of the union"'), []),  # over two ends
        (Question('"turm wächter"'), []),  # of two languages
        (Question("東京都"), ["ja"]),
        (Question('"light house"', speaker="S1"), ["new"]),
        (Question('"light house"', until=date(2024, 1, 1)), ["en"]),
        (Question('"light house"', language="de"), []),
    ],
)
def test_a_phrase_over_the_end_of_a_segment_is_found(cut: Database, asked: Question, found: list[str]) -> None:
    hits = cut.read(search.search, asked)
    assert videos(hits) == found
    paged, after = [], None
    while page := cut.read(search.search, asked, limit=1, after=after):
        paged += page
        after = page[-1].place
    assert paged == hits


def test_a_hit_over_the_end_is_of_both_segments(cut: Database) -> None:
    first = cut.read(search.search, Question('"light house"'))[0]
    assert (first.start, first.end, first.text) == (0.0, 4.0, "the old light house keeper")
    assert first.highlighted == "the old **light** **house** keeper"
    assert cut.read(search.search, Question("東京都"))[0].text == "明日東京都知事は"
