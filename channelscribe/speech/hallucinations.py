"""Phrases that Whisper is known to write where nobody speaks: subtitle credits and farewells of its training data.

Needs nothing. Sources: the collections of users in github.com/openai/whisper/discussions/928 (credits) and
/679 (farewells); what they are and how often they come: Koenecke et al., "Careless Whisper: Speech-to-Text
Hallucination Harms" (FAccT 2024). People do say some of them, so the gate asks for silence as well.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["is_boilerplate"]

_ANY_LANGUAGE = ("amara org", "mooji org")
"""Wherever these stand in a short text, it is a credit."""

_PHRASES: dict[str, tuple[str, ...]] = {
    "de": ("untertitel im auftrag des zdf", "untertitelung im auftrag des zdf", "untertitel von", "copyright wdr",
           "vielen dank fürs zuschauen", "vielen dank für die aufmerksamkeit"),
    "en": ("thanks for watching", "thank you for watching", "thank you so much for watching", "please subscribe",
           "see you in the next video", "subtitles by", "transcription by"),
    "es": ("gracias por ver el video", "suscríbete al canal", "subtítulos realizados por"),
    "fr": ("merci d avoir regardé cette vidéo", "sous titrage st 501", "abonnez vous", "sous titres réalisés par"),
    "it": ("sottotitoli creati da", "grazie per la visione", "sottotitoli e revisione a cura di qtss"),
    "ja": ("ご視聴ありがとうございました", "次の動画でお会いしましょう", "チャンネル登録をお願いいたします"),
    "ko": ("시청해주셔서 감사합니다", "구독과 좋아요 부탁드립니다"),
    "nl": ("bedankt voor het kijken", "tv gelderland"),
    "pl": ("dziękuję za uwagę", "napisy stworzone przez"),
    "pt": ("obrigado por assistir", "legendas pela comunidade", "inscreva se no canal"),
    "ru": ("продолжение следует", "субтитры сделал", "редактор субтитров", "спасибо за просмотр"),
    "tr": ("abone olmayı unutmayın", "altyazı m k", "izlediğiniz için teşekkür ederim"),
    "zh": ("请不吝点赞", "字幕由", "感谢观看", "謝謝觀看"),
}  # fmt: skip

_ALONE: dict[str, tuple[str, ...]] = {"en": ("you", "thank you", "bye", "bye bye")}
"""Too common to begin a credit: only when nothing else is said."""

_LONGEST = 100  # characters: a credit is short; a sentence about credits need not be


def is_boilerplate(text: str, language: str | None) -> bool:
    """Whether the whole text is such a phrase, or several, as it is known in the language."""
    plain = _plain(text)
    if not plain or (len(plain) > _LONGEST and not _repeats(plain)):
        return False
    if any(credit in plain for credit in _ANY_LANGUAGE):
        return True
    return plain in _ALONE.get(language or "", ()) or plain.startswith(_PHRASES.get(language or "", ()))


def _plain(text: str) -> str:
    """Lower case, letters and digits, single spaces."""
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFC", text).casefold()).split())


def _repeats(plain: str) -> bool:
    words = plain.split()
    return len(set(words)) * 4 <= len(words)
