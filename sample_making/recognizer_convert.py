"""Turns the trained recognizer into what WhisperX loads: a CTranslate2 model in int8.

Needs ``recognizer.pt`` and ``tokenizer.json`` in the build folder. Leaves the folder
``channelscribe/sample/data/models/whisper.en`` (4.4 MB). The name's ending tells WhisperX the language.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from ctranslate2.converters import TransformersConverter
from transformers import GenerationConfig, PreTrainedTokenizerFast, WhisperFeatureExtractor

from sample_making.recognizer_model import new_model
from sample_making.recognizer_tokenizer import (
    CONTROL_TOKENS,
    END_OF_TEXT,
    NO_TIMESTAMPS,
    START_OF_TRANSCRIPT,
    load_tokenizer,
    tokenizer_path,
)
from sample_making.recognizer_train import checkpoint_path
from sample_making.recordings import BUILD, MODELS

TARGET = MODELS / "whisper.en"


def convert(build: Path, target: Path) -> None:
    """Writes the checkpoint of ``build`` as a CTranslate2 model; ``target`` is replaced."""
    stock = build / "recognizer-transformers"
    shutil.rmtree(stock, ignore_errors=True)
    _save_for_transformers(build, stock)
    converter = TransformersConverter(str(stock), copy_files=["tokenizer.json", "preprocessor_config.json"])
    target.parent.mkdir(parents=True, exist_ok=True)
    converter.convert(str(target), quantization="int8", force=True)
    shutil.rmtree(stock)


def _save_for_transformers(build: Path, folder: Path) -> None:
    blank = load_tokenizer(build).token_to_id("Ġ")
    model = new_model(blank)
    model.load_state_dict(torch.load(checkpoint_path(build))["model"])
    model.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[blank, END_OF_TEXT],
        decoder_start_token_id=START_OF_TRANSCRIPT,
        bos_token_id=END_OF_TEXT,
        eos_token_id=END_OF_TEXT,
        pad_token_id=END_OF_TEXT,
        max_length=448,
        is_multilingual=False,
        no_timestamps_token_id=NO_TIMESTAMPS,
        # The heads of the last decoder layer that were trained to look at the token being written.
        alignment_heads=[[2, 0], [2, 1], [2, 2]],
        return_timestamps=False,
    )
    model.save_pretrained(folder)
    end = CONTROL_TOKENS[0]
    PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_path(build)), bos_token=end, eos_token=end, unk_token=end
    ).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)


def main(build: Path = BUILD) -> None:
    convert(build, TARGET)


if __name__ == "__main__":
    main()
