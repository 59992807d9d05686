"""Texts as vectors of their meaning, by models that need no PyTorch.

Two kinds of files are known, each beside a `tokenizer.json`: a table of word pieces that are averaged
(`*.safetensors` with a tensor `embeddings`, the form of Model2Vec and the static models of Sentence Transformers), and
a network in ONNX, whose last hidden states are averaged (`*.onnx`). Needs the extra `meaning`. Leaves what it
fetched in the Hugging Face cache; the network is asked only by who allows it. Neither kind can hold a program, as a
pickle could.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from channelscribe.errors import InvalidSetting, ModelTampered, ModelUnavailable, UnknownModel
from channelscribe.files import content_key, sha256_file
from channelscribe.sample import world
from channelscribe.settings.options import MeaningModel, MeaningOptions
from channelscribe.speech import hub, hub_check
from channelscribe.speech.verify import verify_bundle
from channelscribe.text.passages import passages
from channelscribe.transcript import Transcript

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Vectors = NDArray[np.float32]

__all__ = [
    "BUILT_IN",
    "SAMPLE",
    "Embedder",
    "ResolvedEmbedder",
    "embedded",
    "known_embedders",
    "load_embedder",
    "resolve_embedder",
]

SAMPLE = "sample"
TOKENIZER = "tokenizer.json"
INSTALL = "pip install 'channelscribe[meaning]'"

BUILT_IN: Mapping[str, MeaningModel] = {
    SAMPLE: MeaningModel(
        model=str(world.models_dir() / "meaning"),
        file="model.safetensors",
        revision="bundled",
        language="en",
        dimensions=48,
        least=0.35,
    ),
    "all-MiniLM-L6-v2": MeaningModel(
        model="sentence-transformers/all-MiniLM-L6-v2",
        file="onnx/model.onnx",
        language="en",
        dimensions=384,
        least=0.25,
    ),
    "potion-retrieval-32M": MeaningModel(
        model="minishlab/potion-retrieval-32M", file="model.safetensors", language="en", dimensions=512, least=0.2
    ),
    "multilingual-e5-small": MeaningModel(
        model="intfloat/multilingual-e5-small",
        file="onnx/model.onnx",
        dimensions=384,
        query="query: ",
        passage="passage: ",
        tokens=512,
        least=0.78,
    ),
}


@dataclass(frozen=True)
class ResolvedEmbedder:
    """An entry of the registry as it is here: `folder` has its files, or is None where they are not at hand."""

    name: str
    entry: MeaningModel
    folder: Path | None
    files: tuple[str, ...] = field(default=())

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the vectors: name, revision, dimensions, and for a folder of one's own the sum of its files."""
        own = Path(self.entry.model).is_dir()
        sums = {each: sha256_file(Path(self.entry.model) / each) for each in self.files} if own else None
        facts = (self.entry.model if not own else None, self.entry.query, self.entry.passage, self.entry.tokens)
        return {
            "name": self.name,
            "revision": self.entry.revision,
            "dimensions": self.entry.dimensions,
            "sha256": content_key(sums, *facts),
        }


def known_embedders(options: MeaningOptions) -> dict[str, MeaningModel]:
    """The built-in models and those of `options.models`, by name; the latter win."""
    return {**BUILT_IN, **options.models}


def resolve_embedder(options: MeaningOptions, name: str | None = None, *, fetch: bool = False) -> ResolvedEmbedder:
    """The model called `name`, or `options.model`: an entry of the registry, or a folder. `fetch`: from the hub, if
    need be. Raises UnknownModel, ModelUnavailable where it is not at hand, and ModelTampered.
    """
    name = name or options.model or ""
    known = known_embedders(options)
    if name in known:
        entry = known[name]
    elif Path(name).is_dir():
        entry = _entry_of(Path(name))
    else:
        raise UnknownModel(
            f"There is no model of meaning {name!r}.",
            remedy=f"Known: {', '.join(sorted(known))}; or give a folder, or add an entry under meaning.models.",
        )
    weights = entry.file or _weights(Path(entry.model))
    files = (weights, TOKENIZER)
    return ResolvedEmbedder(name, entry, _folder(name, entry, files, options, fetch), files)


def _entry_of(folder: Path) -> MeaningModel:
    return MeaningModel(model=str(folder.resolve()), revision="folder", dimensions=_dimensions(folder))


def _weights(folder: Path) -> str:
    for each in ("model.onnx", "onnx/model.onnx", "model.safetensors"):
        if (folder / each).is_file():
            return each
    raise ModelUnavailable(
        f"There is neither model.onnx nor model.safetensors in {folder}.",
        remedy="Name a folder of an ONNX or a static model; `file` of its entry says which file it is.",
    )


def _dimensions(folder: Path) -> int:
    name = _weights(folder)
    if name.endswith(".safetensors"):
        return int(_tensors(folder / name)["embeddings"].shape[1])
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "hidden_size" not in config:
        raise InvalidSetting(
            f"{folder} does not tell the length of its vectors.", remedy="Give `dimensions` in its entry."
        )
    return int(config["hidden_size"])


def _folder(name: str, entry: MeaningModel, files: Sequence[str], options: MeaningOptions, fetch: bool) -> Path | None:
    place = Path(entry.model)
    if not place.is_dir() and not place.is_absolute():
        found = hub_check.cached_snapshot(entry.model, entry.revision)
        if fetch and (found is None or not all((found / each).is_file() for each in files)):
            found = hub.model_folder(entry.model, entry.revision, options.hub_token, files)
        place = found or place
    missing = [each for each in files if not (place / each).is_file()]
    if missing:
        raise ModelUnavailable(
            f"The model of meaning {name} is not on this machine.",
            remedy="Connect it to the network for the first run, or set meaning.model to another one, or to nothing.",
        )
    for each, expected in entry.sha256.items():
        if sha256_file(place / each) != expected.lower():
            raise ModelTampered(
                f"{place / each} does not have the sha256 that meaning.models.{name} tells.",
                remedy="Download the model again from a source that you trust.",
            )
    return place


class Embedder(Protocol):
    """A loaded model. It may be used by several threads."""

    model: ResolvedEmbedder

    def queries(self, texts: Sequence[str]) -> Vectors:
        """A row of unit length each, (texts, dimensions); zeros for a text that the model knows nothing of."""

    def passages(self, texts: Sequence[str]) -> Vectors:
        """The same for what is searched."""


_lock = threading.Lock()
_loaded: dict[tuple[str, str], Embedder] = {}


def load_embedder(options: MeaningOptions, name: str | None = None, *, fetch: bool = False) -> Embedder:
    """The model as `resolve_embedder` finds it, loaded once a process. Raises as that, and ModelUnavailable without
    the extra `meaning`.
    """
    for package in ("tokenizers", "numpy"):
        if find_spec(package) is None:
            raise ModelUnavailable(f"{package} is not installed.", remedy=INSTALL)
    with _lock:
        model = resolve_embedder(options, name, fetch=fetch)
        key = (model.name, str(model.folder))
        if key not in _loaded:
            if model.name == SAMPLE and SAMPLE not in options.models:
                verify_bundle()
            kind = _Network if model.files[0].endswith(".onnx") else _Table
            _loaded[key] = kind(model)
        return _loaded[key]


def embedded(embedder: Embedder, transcript: Transcript, sentences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A transcript's passages with their vectors, JSON-able: {"model", "passages": [[start, end, first segment, last
    segment], …], "vectors": half-precision rows in base64}. `sentences` are those of its reading.
    """
    import numpy as np

    found = passages(transcript, sentences)
    vectors = embedder.passages([each.text for each in found]).astype("<f2")
    return {
        "model": embedder.model.identity,
        "passages": [[each.start, each.end, each.first, each.last] for each in found],
        "vectors": base64.b64encode(np.ascontiguousarray(vectors).tobytes()).decode(),
    }


class _Both:
    """What both kinds share."""

    def __init__(self, model: ResolvedEmbedder) -> None:
        from tokenizers import Tokenizer

        assert model.folder is not None
        self.model = model
        self.weights = model.folder / model.files[0]
        self.tokenizer: Tokenizer = Tokenizer.from_file(str(model.folder / TOKENIZER))
        self.tokenizer.no_padding()

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._unit([f"{self.model.entry.query}{text}" for text in texts])

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._unit([f"{self.model.entry.passage}{text}" for text in texts])

    def _unit(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        made = np.zeros((len(texts), self.model.entry.dimensions), np.float32)
        if texts:
            made[:] = self._raw(texts)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        unit: Vectors = (made / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return unit

    def _raw(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError


class _Table(_Both):
    """A vector for each word piece; a text is their mean. Only the rows that are asked for are read from the disk."""

    def __init__(self, model: ResolvedEmbedder) -> None:
        super().__init__(model)
        self.tokenizer.no_truncation()
        tensors = _tensors(self.weights)
        self.table = tensors["embeddings"]
        self.shares = tensors.get("weights")
        self.rows = tensors.get("mapping")
        settings = json.loads(self.tokenizer.to_str())["model"]
        self.unknown = self.tokenizer.token_to_id(settings.get("unk_token") or "[UNK]")

    def _raw(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        made = np.zeros((len(texts), self.table.shape[1]), np.float32)
        for place, text in enumerate(self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)):
            pieces = np.array([each for each in text.ids if each != self.unknown], np.int64)
            if len(pieces):
                rows = pieces if self.rows is None else self.rows[pieces]
                vectors = np.asarray(self.table[rows], np.float32)
                made[place] = (vectors if self.shares is None else vectors * self.shares[pieces, None]).mean(axis=0)
        return made


class _Network(_Both):
    """An encoder in ONNX, and the mean of its last hidden states."""

    BATCH = 16

    def __init__(self, model: ResolvedEmbedder) -> None:
        super().__init__(model)
        if find_spec("onnxruntime") is None:
            raise ModelUnavailable("onnxruntime is not installed.", remedy=INSTALL)
        import onnxruntime

        self.tokenizer.enable_truncation(model.entry.tokens)
        options = onnxruntime.SessionOptions()
        # A worker has other threads, and a query is over before a pool of them is up.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(self.weights), options, providers=["CPUExecutionProvider"])
        self.inputs = {each.name for each in self.session.get_inputs()}

    def _raw(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        encoded = self.tokenizer.encode_batch_fast(list(texts))
        made = np.zeros((len(texts), self.model.entry.dimensions), np.float32)
        # Those of like length together: little is padded.
        order = sorted(range(len(texts)), key=lambda place: len(encoded[place].ids))
        for begin in range(0, len(order), self.BATCH):
            places = order[begin : begin + self.BATCH]
            longest = max(len(encoded[place].ids) for place in places)
            pieces, mask = (np.zeros((len(places), longest), np.int64) for _ in range(2))
            for row, place in enumerate(places):
                ids = encoded[place].ids
                pieces[row, : len(ids)], mask[row, : len(ids)] = ids, 1
            given = {"input_ids": pieces, "attention_mask": mask, "token_type_ids": np.zeros_like(pieces)}
            states = self.session.run(None, {name: given[name] for name in self.inputs})[0]
            counts = mask.sum(axis=1, keepdims=True)
            made[places] = (states * mask[:, :, None]).sum(axis=1) / np.maximum(counts, 1)
        return made


def _tensors(file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file (https://github.com/huggingface/safetensors#format), mapped, not read."""
    import numpy as np

    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "i1"}
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length)) if length < 100_000_000 else {}
        header.pop("__metadata__", None)
        found = {}
        for name, told in header.items():
            begin, shape = 8 + length + told["data_offsets"][0], tuple(told["shape"])
            known_as = "embeddings" if name == "embedding.weight" else name  # as Sentence Transformers call it
            found[known_as] = np.memmap(file, kinds[told["dtype"]], "r", begin, shape)
        if len(found["embeddings"].shape) != 2:
            raise ValueError("its embeddings are no table")
    except (KeyError, ValueError, TypeError) as error:
        raise ModelUnavailable(
            f"{file} is no static model: {error}.", remedy="Give a folder with a tensor `embeddings`, or an ONNX model."
        ) from error
    return found
