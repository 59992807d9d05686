"""Words whose full stop ends no sentence, by language: what stands before a name or a number.

Punkt learns abbreviations from text; these are the ones that it must know even where it was trained on little, or not
at all. Lower case, without their last full stop. What may also end a sentence ("p.m.", "etc.", "U.S.") is not here:
what follows decides there (`channelscribe.text.sentences`).
"""

from __future__ import annotations

__all__ = ["TITLES"]

_TITLES = {
    "en": "dr mr mrs ms prof st gen col capt cmdr lt maj sgt sen rep gov rev hon pres supt mt ft vs",
    "de": "dr prof hr fr frl st nr bzw z.b d.h ca vgl u.a",
    "fr": "m mm mme mlle dr pr st ste",
    "es": "sr sra srta dr dra ud uds d dña",
    "it": "sig sig.ra dott dott.ssa prof ing avv",
    "pt": "sr sra dr dra prof profa",
    "nl": "dhr mevr mr drs ir prof dr",
    "ru": "г ул им проф акад др т.е гр тов",
    "uk": "м вул ім проф акад",
}

TITLES = {language: frozenset(words.split()) for language, words in _TITLES.items()}
