"""Search by meaning: how often it finds what was meant, and how fast it is among a million passages.

    make bench NAME=meaning

Questions: 60, each in other words than the one passage that answers it; passages of the sample's scripts and of the
recordings in ../shared/real-speech (without those fewer questions are asked), among DISTRACTORS others: half sentences
of the sample's kind, half the standard library's documentation. Each model that is at hand (MODELS, by name or folder;
the default is the default model and the sample's) answers by meaning and by both, against words; the figure is
nDCG@10 (Järvelin and Kekäläinen, TOIS 2002), which for one right answer is 1 / log2(1 + rank), or 0 below ten. With a
network there is a table made of it as Model2Vec makes it: the network's vectors of single word pieces, averaged.

Scale: PASSAGES (a million unless the environment says otherwise) vectors of DIMENSIONS are drawn around topics, as
those of texts lie, and put into the index; recall@10 of the graph against comparing each, the 95th percentile of a
query, rows a second, bytes on disk.
"""

# ruff: noqa: E501, S608 - questions read best in a line; statements of constants of this file

from __future__ import annotations

import importlib
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.report import print_report
from channelscribe.catalogue import leases, listings, meaning, publishing, schema, videos
from channelscribe.catalogue.connection import Database, driver_connection, execute
from channelscribe.catalogue.meaning import Embedded
from channelscribe.catalogue.search import search
from channelscribe.catalogue.search_query import Question
from channelscribe.errors import ChannelscribeError
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sample import world
from channelscribe.settings.options import MeaningOptions
from channelscribe.sources.spool import ListedVideo, Listing
from channelscribe.text.embedding import Embedder, embedded, load_embedder
from channelscribe.transcript import Segment, Transcript
from sample_making.sentences import sentence

MODELS = os.environ.get("MODELS", "all-MiniLM-L6-v2,sample").split(",")
PASSAGES = int(os.environ.get("PASSAGES", "1000000"))
DISTRACTORS = 2000
DIMENSIONS, TOPICS, QUERIES, AT_ONCE = 384, 2000, 200, 20_000
REAL = Path(__file__).parents[2] / "shared" / "real-speech"
DOCUMENTED = (
    "argparse asyncio collections csv datetime decimal email functools http json logging os pathlib random re "
    "shutil socket sqlite3 statistics string subprocess tarfile tempfile threading unittest urllib.parse xml zipfile"
)

SAMPLE_QUESTIONS = {
    "Emma Rossi lost a suitcase at the train in Sydney.": ["whose luggage went missing in Australia", "a traveller who could not find her bags"],
    "The empty train to Lisbon arrives at twenty in the morning.": ["when does the service with nobody aboard get to the Portuguese capital"],
    "Clara Tanaka found a seat at the tunnel in Toronto.": ["who managed to sit down in Canada"],
    "Did you know that the conductor is fifty years old?": ["age of the man who checks tickets"],
    "Did you know that the locomotive is eight years old?": ["how long has the machine pulling the wagons existed"],
    "Nina Morgan took a photograph at the passenger in Naples.": ["who snapped a picture of a traveller in Italy"],
    "Later, Oliver and Victor walked from the carriage to the old town.": ["two men strolled into the historic centre"],
    "I met Thomas Rossi in Dublin every year, and we ate cheese.": ["annual get-together in Ireland with dairy food"],
    "First, stir the milk and the olive in a large plate.": ["beginning of the recipe: blend dairy with a Mediterranean fruit"],
    "Then melt the pepper for four minutes, and roast the honey.": ["cooking something sweet in the oven after heating a spice"],
    "My grandmother from Ireland always put eggs in the table.": ["what did granny from Dublin's country use in her kitchen"],
    "Never mix the bread without fish.": ["a loaf should not be combined unless there is seafood"],
    "I met Clara Moreau in Geneva yesterday, and we ate garlic.": ["dinner with a friend in Switzerland the day before"],
    "Oliver Keller likes carrots with mushrooms and a little sugar.": ["who enjoys orange vegetables with fungi, slightly sweet"],
    "Julia Parker discovered a giant engine near the planet.": ["who came upon a huge motor close to another world"],
    "Scientists in Germany tracked the satellite last week.": ["researchers following a spacecraft in Berlin's country recently"],
    "The broken moon is eighty million kilometers away from the asteroid.": ["distance between the damaged lunar body and the space rock"],
    "Thank you, Helena, that was a wonderful story about Vienna.": ["grateful for her tale of the Austrian capital"],
    "In August, the Northern Railway discovered ten bright comets.": ["rail company found shining objects with tails in summer"],
    "Clara Tanaka described an ancient nebula near the astronaut.": ["she told of a very old cloud of gas beside the spaceman"],
    "Maria Brooks says the fog will reach Berlin today.": ["poor visibility is coming to the German capital"],
    "Please bring a pair of boots if you visit Dublin in October.": ["what footwear to pack for an autumn trip to Ireland"],
    "Please bring a bottle of water if you visit Dublin in December.": ["take something to drink on a winter journey"],
    "There is sudden frost over the valley, and more heat is coming tomorrow.": ["an abrupt freeze in the lowlands, then it gets hot"],
    "The thunder in Oslo was very wet during the summer.": ["rainy storms in Norway in July"],
    "Temperatures will fall to nine degrees in France in the morning.": ["how cold will it get in Paris's country at dawn"],
    "Samuel Tanaka says the storm will reach Dublin this weekend.": ["bad weather on Saturday in the Irish capital"],
    "There is cold sunshine over the coast, and more rain is coming today.": ["chilly but clear at the seaside, showers later"],
    "The first train to Boston leaves at seven in the morning.": ["earliest departure to Massachusetts"],
    "Helena Novak found a seat at the station in Berlin.": ["somebody got a place to sit at a German terminal"],
    "Yes, I think the telescope was dangerous.": ["was the instrument for stargazing risky"],
    "I met Maria Keller in Berlin yesterday, and we ate lemon.": ["sour fruit shared with a woman in Germany"],
    "The slow station from Madrid stopped in the afternoon.": ["halted after lunch, coming from the Spanish capital"],
    "In November, the Harbor Museum measured five red craters.": ["which institution sized up crimson holes late in the year"],
    "Emma Parker repaired a small asteroid near the crater.": ["who fixed a little space rock"],
    "We can see the bright star in the morning with a good camera.": ["a shining sun visible at dawn through photo equipment"],
    "Scientists in France observed the astronaut yesterday.": ["French researchers watched a spaceman"],
    "Helena Keller launched a broken nebula near the asteroid.": ["who sent up a damaged gas cloud"],
    "Anna Morgan likes apples with chicken and a little potatoes.": ["who loves fruit together with poultry"],
    "You need nine cups of olive, some flour and bread.": ["ingredients measured by the mug"],
    "Yes, I think the carriage was difficult.": ["the wagon gave trouble, in my opinion"],
    "Then pour the onions for two minutes, and fry the carrots.": ["put orange roots into hot oil"],
    "My grandmother from Germany always put chicken in the plate.": ["granny's habit of serving poultry"],
    "What do you think about the modern timetable, Daniel?": ["opinion on the new schedule"],
}  # fmt: skip
"""Sentences of the sample's scripts, and questions that each answers."""

REAL_QUESTIONS = {
    "telephone 4": ["was she surprised that the other was on the line"],
    "telephone 6": ["a tone came over the phone"],
    "telephone 8": ["the caller from the South who grew up in Illinois"],
    "telephone 9": ["the other one comes from the same Midwestern city"],
    "telephone 12": ["they give me a nickname for Northerners"],
    "LJ001-0001": ["how typesetting is unlike other handicrafts on show"],
    "LJ001-0002": ["it is a fairly recent thing"],
    "LJ001-0003": ["East Asian carvers made pictures hundreds of years before Europeans"],
    "LJ001-0004": ["what came right before real typeset volumes"],
    "LJ001-0005": ["when did loose type of lead begin, around 1450"],
    "LJ001-0006": ["a sample of beautiful lettering"],
    "LJ001-0007": ["the first Holy Scripture ever produced on a press"],
    "LJ001-0008": ["nobody ever did better"],
    "austen-0870": ["he had time to think about what help he could sensibly give them"],
    "austen-0890": ["a person who lacks warmth and thinks of himself is he bad"],
    "jfk": ["the president tells citizens to serve their nation", "what should people do for the United States"],
}


def real_passages() -> dict[str, str]:
    """By name; none where the recordings are not here."""
    found = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted((REAL / "read").glob("*.txt"))}
    talk = REAL / "talk" / "telephone.stm"
    lines = talk.read_text(encoding="utf-8").splitlines() if talk.is_file() else []
    return found | {f"telephone {n}": line.split(maxsplit=5)[5] for n, line in enumerate(lines, 1)}


def distractors(rng: Random, taken: set[str]) -> Iterator[str]:
    """DISTRACTORS passages that answer nothing."""
    texts: list[str] = []
    for name in DOCUMENTED.split():
        module = importlib.import_module(name)
        for each in sorted(vars(module)):
            told = getattr(getattr(module, each), "__doc__", None)
            if isinstance(told, str) and len(told.split()) > 8:
                texts.append(" ".join(told.split()[:60]))
    documented = sorted(set(texts))
    rng.shuffle(documented)
    yield from documented[: DISTRACTORS // 2]
    for _ in range(DISTRACTORS - min(len(documented), DISTRACTORS // 2)):
        drawn = sentence(rng).text
        while drawn in taken:
            drawn = sentence(rng).text
        yield drawn


def library(database: Database, texts: Sequence[str], embedder: Embedder) -> None:
    """One video, in which each text is a passage of its own: a minute lies between two."""
    segments = [Segment(60.0 * n, 60.0 * n + 5, text) for n, text in enumerate(texts)]
    transcript = Transcript("en", 60.0 * len(texts), segments)
    (row,) = _listed(database)
    database.run(leases.claim, [row.id], "bench", 3600, only_due=False)
    database.run(meaning.open_index, embedder.model.identity)
    made = Embedded.from_dict(embedded(embedder, transcript, []))
    database.run(publishing.publish, row.id, "bench", "a" * 64, transcript, {}, {}, embedded=made)


def _listed(database: Database) -> list[Any]:
    video = ListedVideo(
        site="youtube", video_id="v1", url="https://www.youtube.com/watch?v=v1", title="All", duration=60
    )
    listing = Listing(
        site="youtube", source_id="UC1", title="One", url="https://www.youtube.com/@one", kind="channel", videos=[video]
    )
    database.run(listings.record_listing, listing)
    return list(database.run(videos.find_videos, "v1"))


def gain(starts: Sequence[float], right: int) -> float:
    """nDCG@10 of one question with one right answer."""
    places = [rank for rank, start in enumerate(starts[:10], 1) if int(start // 60) == right]
    return 1 / math.log2(1 + places[0]) if places else 0.0


def quality(questions: Sequence[tuple[str, int]], texts: Sequence[str], embedder: Embedder) -> dict[str, float]:
    """nDCG@10 by words, meaning and both; seconds to put a passage in and to ask."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with temporary_server(Path(folder) / "postgres") as server:
            database = Database(server.url)
            schema.migrate(database)
            begun = time.perf_counter()
            library(database, texts, embedder)
            put = (time.perf_counter() - begun) / len(texts)
            gains: dict[str, list[float]] = {"words": [], "meaning": [], "both": []}
            seconds = []
            index = database.read(meaning.current_index)
            assert index is not None
            least = embedder.model.entry.least
            for question, right in questions:
                for by, found in gains.items():
                    asked = Question(question, by=by)
                    begun = time.perf_counter()
                    if by == "words":
                        hits = database.read(search, asked, limit=10)
                    else:
                        hits = database.read(meaning.search_by, asked, embedder, index, least=least, limit=10)
                    seconds += [time.perf_counter() - begun] if by == "both" else []
                    found.append(gain([hit.start for hit in hits], right))
            database.close()
    return {by: statistics.fmean(each) for by, each in gains.items()} | {"put": put, "ask": statistics.median(seconds)}


class Averaged:
    """A table of a network's vectors of single word pieces, rarer ones counting more (Zipf), as Model2Vec makes it."""

    def __init__(self, network: Any) -> None:
        self.model, self.tokenizer = network.model, network.tokenizer
        pieces = [self.tokenizer.id_to_token(n) for n in range(self.tokenizer.get_vocab_size())]
        table = network.passages([each.removeprefix("##") for each in pieces])
        table -= table.mean(axis=0)
        _, _, axes = np.linalg.svd(table[::8], full_matrices=False)
        table = table @ axes[:256].T
        self.table = np.zeros((len(pieces), network.model.entry.dimensions), np.float32)
        self.table[:, :256] = table * np.log(1 + np.arange(len(pieces)))[:, None]

    def passages(self, texts: Sequence[str]) -> Any:
        made = np.zeros((len(texts), self.table.shape[1]), np.float32)
        for place, text in enumerate(self.tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            if text.ids:
                made[place] = self.table[text.ids].mean(axis=0)
        return made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)

    queries = passages


def scale(count: int) -> dict[str, float]:
    """Recall, seconds and bytes of an index of drawn vectors."""
    rng = np.random.default_rng(7)
    topics = rng.standard_normal((TOPICS, DIMENSIONS), np.float32)
    axes = rng.standard_normal((24, DIMENSIONS), np.float32)

    def drawn(number: int) -> Any:
        """Around a topic, mostly along the same few axes, as texts differ."""
        made = topics[rng.integers(0, TOPICS, number)]
        made = made + rng.standard_normal((number, 24), np.float32) @ axes * 0.5
        made += 0.3 * rng.standard_normal((number, DIMENSIONS), np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with temporary_server(Path(folder) / "postgres") as server:
            database = Database(server.url)
            schema.migrate(database)
            row = _listed(database)[0]
            database.run(leases.claim, [row.id], "bench", 3600)
            transcript = Transcript("en", 9.0, [Segment(0, 9, "said")])
            database.run(publishing.publish, row.id, "bench", "a" * 64, transcript, {}, {})
            identity = {"name": "drawn", "revision": "1", "sha256": "0", "dimensions": DIMENSIONS}
            index = database.run(meaning.open_index, identity)
            assert index is not None
            begun = time.perf_counter()
            statement = f'COPY {index.table} (transcript_pk, index, start, "end", first, last, embedding) FROM STDIN'
            for first in range(0, count, AT_ONCE):
                vectors = drawn(min(AT_ONCE, count - first))
                with (
                    database.session() as session,
                    driver_connection(session).cursor() as cursor,
                    cursor.copy(statement) as copy,
                ):
                    for n, vector in enumerate(vectors, first):
                        copy.write_row((1, n, 0.0, 9.0, 0, 0, str(vector.tolist())))
            put = time.perf_counter() - begun
            with database.connection() as connection:
                execute(connection, f"ANALYZE {index.table}")
            recalls: list[float] = []
            seconds: list[float] = []
            for vector in drawn(QUERIES):
                with database.connection() as connection:
                    begun = time.perf_counter()
                    found = meaning._nearest(connection, index, vector.tolist(), None, meaning.DEEPEST)[:10]
                    seconds.append(time.perf_counter() - begun)
                    if len(recalls) < QUERIES // 4:
                        given = {"vector": str(vector.tolist())}
                        execute(connection, "SET LOCAL enable_indexscan = off")
                        right = execute(
                            connection,
                            f"SELECT index FROM {index.table} ORDER BY embedding <#> CAST(:vector AS halfvec) LIMIT 10",
                            **given,
                        )
                        recalls.append(len({each.index for each in found} & set(right.scalars())) / 10)
            with database.connection() as connection:
                size = execute(connection, f"SELECT pg_total_relation_size('{index.table}')").scalar_one()
            database.close()
    return {
        "meaning.recall": statistics.fmean(recalls),
        "meaning.p95_ms": 1000 * float(np.quantile(seconds, 0.95)),
        "meaning.rows_a_second": count / put,
        "meaning.kilobytes_a_passage": size / count / 1000,
    }


def main() -> None:
    rng = Random("meaning")
    real = real_passages()
    asked = [*SAMPLE_QUESTIONS.items(), *((real[name], told) for name, told in REAL_QUESTIONS.items() if name in real)]
    others = [each.text for episode in world.episodes() for each in episode.script.sentences] + list(real.values())
    answers = [text for text, _ in asked]
    texts = list(dict.fromkeys([*answers, *others, *distractors(rng, {*answers, *others})]))
    questions = [(question, place) for place, (_, told) in enumerate(asked) for question in told]
    print(f"{len(questions)} questions, {len(texts)} passages; {PASSAGES} vectors are drawn")
    rows, figures = [], {"meaning.questions": float(len(questions))}
    best: dict[str, float] = {}
    for name in filter(None, MODELS):
        try:
            embedder = load_embedder(MeaningOptions(model=name))
        except ChannelscribeError as error:
            print(f"{name} is left out: {error}")
            continue
        ways: list[tuple[str, Any]] = [(Path(name).name, embedder)]
        if hasattr(embedder, "session"):
            ways.append((f"{Path(name).name}, averaged", Averaged(embedder)))
        for told, each in ways:
            found = quality(questions, texts, each)
            best = best or found
            cells = [f"{found[by]:.3f}" for by in ("words", "meaning", "both")]
            print(told, *cells, flush=True)
            rows.append([told, *cells, f"{1000 * found['put']:.1f} ms", f"{1000 * found['ask']:.0f} ms"])
            figures |= {f"meaning.{by}, {told}": found[by] for by in ("words", "meaning", "both")}
    figures |= {
        "meaning.both_over_words": best["both"] - best["words"],
        "meaning.both_over_meaning": best["both"] - best["meaning"],
    }
    drawn = scale(PASSAGES) if PASSAGES else {}
    figures |= {"meaning.passages": float(PASSAGES), **drawn}
    rows.append([f"{PASSAGES} drawn", *(f"{name.partition('.')[2]} {value:.3g}" for name, value in drawn.items())])
    goal = {"meaning.both_over_words": ">= 0.2", "meaning.both_over_meaning": ">= 0"}
    goal |= {"meaning.recall": ">= 0.95", "meaning.p95_ms": "<= 60"} if drawn else {}
    heads = ["model, nDCG@10", "words", "meaning", "both", "to put a passage in", "to ask"]
    print_report("meaning", heads, [[*row, *[""] * (len(heads) - len(row))] for row in rows], figures, goal)


if __name__ == "__main__":
    main()
