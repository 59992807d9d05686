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
    "ar": ("ترجمة نانسي قنقر", "اشتركوا في القناة", "اشترك في القناة", "شكرا للمشاهدة", "شكرا لكم على المشاهدة",
           "لا تنسوا الاشتراك"),
    "bg": ("абонирайте се", "благодаря за гледането", "субтитри"),
    "ca": ("gràcies per veure el vídeo", "subtítols per la comunitat"),
    "cs": ("titulky vytvořil", "děkuji za pozornost", "děkujeme za pozornost", "www hradeckesluzby cz"),
    "cy": ("diolch yn fawr iawn am wylio",),
    "da": ("danske tekster af", "tak fordi du så med", "tak for at du så med", "undertekster af"),
    "de": ("untertitel im auftrag des zdf", "untertitelung im auftrag des zdf", "untertitel von", "untertitelung des",
           "copyright wdr", "swr 20", "vielen dank fürs zuschauen", "vielen dank für die aufmerksamkeit",
           "bis zum nächsten mal"),
    "el": ("υπότιτλοι authorwave", "ευχαριστώ που παρακολουθήσατε", "σας ευχαριστώ που παρακολουθήσατε"),
    "en": ("thanks for watching", "thank you for watching", "thank you so much for watching", "please subscribe",
           "see you in the next video", "i ll see you in the next video", "subtitles by", "transcription by",
           "don t forget to like and subscribe"),
    "es": ("gracias por ver el video", "gracias por ver", "suscríbete al canal", "subtítulos realizados por",
           "subtítulos por la comunidad"),
    "fa": ("لطفا کانال", "ممنون که تماشا", "زیرنویس"),
    "fi": ("kiitos että katsoit", "kiitos kun katsoit", "tekstitys"),
    "fr": ("merci d avoir regardé", "merci d avoir suivi", "sous titrage", "sous titres réalisés par",
           "sous titres par", "abonnez vous", "n oubliez pas de vous abonner", "par soustitreur com"),
    "he": ("תודה רבה על הצפייה", "תודה על הצפייה", "תודה שצפיתם", "כתוביות על ידי", "תרגום וכתוביות"),
    "hi": ("देखने के लिए धन्यवाद", "चैनल को सब्सक्राइब", "सब्सक्राइब करें"),
    "hr": ("hvala što pratite", "hvala na gledanju", "titlovao", "prijevod i obrada"),
    "hu": ("köszönöm hogy megnézted", "köszönöm a figyelmet", "köszönjük hogy megnézted", "feliratok"),
    "id": ("terima kasih telah menonton", "terima kasih sudah menonton", "jangan lupa like", "jangan lupa subscribe",
           "subtitle oleh", "sampai jumpa di video"),
    "it": ("sottotitoli creati da", "sottotitoli a cura di", "sottotitoli e revisione a cura di qtss",
           "grazie per la visione", "grazie per aver guardato"),
    "ja": ("ご視聴ありがとうございました", "ご視聴ありがとうございます", "次の動画でお会いしましょう",
           "チャンネル登録をお願いいたします", "チャンネル登録お願いします", "最後までご視聴"),
    "ko": ("시청해주셔서 감사합니다", "시청해 주셔서 감사합니다", "구독과 좋아요 부탁드립니다", "다음 영상에서 만나요",
           "한글자막 by"),
    "ms": ("terima kasih kerana menonton",),
    "nl": ("bedankt voor het kijken", "tv gelderland", "ondertitels ingediend door", "ondertiteling"),
    "no": ("teksting av", "takk for at du så på", "undertekster av"),
    "pl": ("dziękuję za uwagę", "dziękuję za oglądanie", "dziękujemy za oglądanie", "napisy stworzone przez",
           "zdjęcia i napisy", "subskrybuj"),
    "pt": ("obrigado por assistir", "obrigada por assistir", "legendas pela comunidade", "legenda adriana zanotto",
           "inscreva se no canal"),
    "ro": ("nu uitați să vă abonați", "nu uitați să dați like", "vă mulțumim pentru vizionare",
           "mulțumesc pentru vizionare", "subtitrarea"),
    "ru": ("продолжение следует", "субтитры сделал", "субтитры создавал", "субтитры подогнал", "субтитры делал",
           "редактор субтитров", "спасибо за просмотр", "подписывайтесь на"),
    "sk": ("titulky vytvoril", "ďakujem za pozornosť", "ďakujeme za pozornosť"),
    "sr": ("hvala što pratite", "хвала што пратите"),
    "sv": ("tack för att ni har tittat", "tack för att du har tittat", "tack för att ni tittade",
           "tack för att du tittade", "undertexter från amara", "undertexter av", "svensktextning", "textning stina"),
    "th": ("ขอบคุณที่รับชม", "ขอบคุณสําหรับการรับชม", "ขอบคุณสำหรับการรับชม", "โปรดติดตามตอนต่อไป", "คำบรรยายโดย"),
    "tr": ("abone olmayı unutmayın", "altyazı m k", "altyazı", "izlediğiniz için teşekkür", "beni izlediğiniz için"),
    "uk": ("дякую за перегляд", "дякуємо за перегляд", "субтитрувальниця", "субтитри", "підписуйтесь на"),
    "vi": ("hãy subscribe cho kênh", "hãy đăng ký kênh", "cảm ơn các bạn đã theo dõi", "cảm ơn các bạn đã xem",
           "cám ơn các bạn đã theo dõi", "đừng quên đăng ký", "hẹn gặp lại các bạn trong"),
    "yue": ("字幕由", "多謝您收睇", "請不吝點贊", "詞曲 李宗盛"),
    "zh": ("请不吝点赞", "請不吝點贊", "明镜需要您的支持", "字幕由", "字幕志愿者", "中文字幕志愿者",
           "感谢观看", "谢谢观看", "謝謝觀看", "謝謝收看", "谢谢收看", "謝謝大家收看", "优优独播剧场", "優優獨播劇場",
           "詞曲 李宗盛"),
}  # fmt: skip

_ALONE: dict[str, tuple[str, ...]] = {
    "ar": ("شكرا",), "da": ("tak",), "de": ("vielen dank", "tschüss"), "en": ("you", "thank you", "bye", "bye bye"),
    "es": ("gracias", "muchas gracias", "adiós"), "fr": ("merci", "merci beaucoup", "au revoir"), "he": ("תודה רבה",),
    "id": ("terima kasih",), "it": ("grazie", "grazie a tutti"), "ko": ("감사합니다",), "nl": ("dank u wel", "bedankt"),
    "pl": ("dziękuję",), "pt": ("obrigado", "obrigada", "tchau tchau"), "ru": ("спасибо",),
    "sv": ("tack", "tack tack"), "tr": ("teşekkürler",), "uk": ("дякую",), "vi": ("cảm ơn các bạn",),
    "zh": ("谢谢", "謝謝", "谢谢大家"),
}  # fmt: skip
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
