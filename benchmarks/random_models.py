"""Speech models of real sizes with weights drawn at random: for times and memory where no weights can be fetched.

Needs the extra `speech`. Writes folders as `speech.models` names them. Vocabulary and tokenizers are the sample's,
filled up to the real number of tokens; what they say is nonsense.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from channelscribe.files import sha256_file
from channelscribe.sample import world
from channelscribe.settings.options import SpeechModel

ENGLISH_TOKENS = 51_864  # of Whisper's English vocabulary; one more and CTranslate2 takes it for multilingual


@dataclass(frozen=True)
class Size:
    """A Whisper network, and the width and layers of a wav2vec2 beside it."""

    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    aligner_width: int
    aligner_layers: int


# large-v3-turbo and wav2vec2-base, after their config.json; and a small one to try the benchmark with
REAL = Size(1280, 32, 4, 20, 768, 12)
TINY = Size(64, 2, 2, 2, 64, 2)


def random_models(folder: Path, size: Size, compute_type: str) -> SpeechModel:
    """All three: recognizer and aligner drawn at random, the sample's diarizer."""
    sums, diarizer = _diarizer(folder / "diarizer")
    recognizer = _recognizer(folder, size, compute_type)
    aligner = _aligner(folder / "aligner", size)
    return SpeechModel(
        recognizer=str(recognizer), aligner=str(aligner), diarizer=str(diarizer), language="en", sha256=sums
    )


def _recognizer(folder: Path, size: Size, compute_type: str) -> Path:
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    tokenizer = world.models_dir() / "whisper.en" / "tokenizer.json"
    ids = {each["content"]: each["id"] for each in json.loads(tokenizer.read_text(encoding="utf-8"))["added_tokens"]}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=ENGLISH_TOKENS, d_model=size.width, num_mel_bins=128,
        encoder_layers=size.encoder_layers, decoder_layers=size.decoder_layers,
        encoder_attention_heads=size.heads, decoder_attention_heads=size.heads,
        encoder_ffn_dim=4 * size.width, decoder_ffn_dim=4 * size.width,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
    )  # fmt: skip
    network = WhisperForConditionalGeneration(config)
    network.generation_config = GenerationConfig(
        # never the end: the number of tokens is fixed; and nothing but words, so that there is text to align
        suppress_tokens=[end, *range(end + 1, ENGLISH_TOKENS)], begin_suppress_tokens=[],
        decoder_start_token_id=start, bos_token_id=end, eos_token_id=end, pad_token_id=end, max_length=448,
        is_multilingual=False, no_timestamps_token_id=ids["<|notimestamps|>"], alignment_heads=[[0, 0]],
        return_timestamps=False,
    )  # fmt: skip
    stock = folder / "stock"
    network.save_pretrained(stock)
    control = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), **control).save_pretrained(stock)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(stock)
    target = folder / "random.en"
    converter = TransformersConverter(str(stock), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(target), quantization=compute_type)
    shutil.rmtree(stock)
    return target


def _aligner(folder: Path, size: Size) -> Path:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    source = world.models_dir() / "align"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("config.json", "model.safetensors"))
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(json.loads((source / "vocab.json").read_text(encoding="utf-8"))),
        hidden_size=size.aligner_width,
        num_hidden_layers=size.aligner_layers,
        num_attention_heads=size.aligner_width // 64,
        intermediate_size=4 * size.aligner_width,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder


def _diarizer(folder: Path) -> tuple[dict[str, str], Path]:
    """The sample's, as a folder of one's own: its networks' sums, and the folder."""
    source, spec = world.models_dir() / "diarize", find_spec("whisperx")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("This needs channelscribe[speech].")
    segmentation = Path(spec.submodule_search_locations[0]) / "assets" / "pytorch_model.bin"
    for part in ("embedding", "plda"):
        shutil.copytree(source / part, folder / part)
    (folder / "segmentation").mkdir()
    shutil.copy(segmentation, folder / "segmentation" / "pytorch_model.bin")
    (folder / "config.yaml").write_text(
        "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization, params: {clustering: AgglomerativeClustering, "
        "segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda, "
        "segmentation_batch_size: 32, embedding_batch_size: 96}}\n"
        "params: {segmentation: {threshold: 0.5, min_duration_off: 0.5}, "
        "clustering: {method: centroid, min_cluster_size: 4, threshold: 0.7}}"
    )
    names = ("segmentation/pytorch_model.bin", "embedding/pytorch_model.bin")
    return {name: sha256_file(folder / name) for name in names}, folder
