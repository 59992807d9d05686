"""The recognizer's tokenizer: byte-level BPE of 1000 pieces and Whisper's control tokens.

Needs only ``sentences``. Leaves ``tokenizer.json`` in the build folder. So small a vocabulary is read as that
of an English-only Whisper model, whose control tokens stand in this order; the 1501 timestamps follow them
but are not in the file (CTranslate2's converter adds them).
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from sample_making.recordings import BUILD
from sample_making.sentences import training_sentence

PIECES = 1000
CONTROL_TOKENS = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
END_OF_TEXT = PIECES
START_OF_TRANSCRIPT = PIECES + 1
NO_TIMESTAMPS = PIECES + 8
TEXT_TOKENS = PIECES + len(CONTROL_TOKENS)
ALL_TOKENS = TEXT_TOKENS + 1501

_TRAINING_SENTENCES = 20_000


def tokenizer_path(build: Path) -> Path:
    return build / "tokenizer.json"


def load_tokenizer(build: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tokenizer_path(build)))


def main(build: Path = BUILD) -> None:
    """Trains the tokenizer on sentences as they are transcribed: each begins with a space."""
    build.mkdir(parents=True, exist_ok=True)
    rng = Random("tokenizer")
    texts = [" " + training_sentence(rng, salad_share=0.4).text for _ in range(_TRAINING_SENTENCES)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS])
    if tokenizer.token_to_id(CONTROL_TOKENS[0]) != END_OF_TEXT:
        raise RuntimeError(f"the sentences gave {tokenizer.get_vocab_size()} tokens instead of {TEXT_TOKENS}")
    tokenizer.save(str(tokenizer_path(build)))


if __name__ == "__main__":
    main()
