"""Configuration: one model of all settings (`options`), one registry that resolves and explains them (`registry`)."""

from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.options import (
    DaskOptions,
    DatabaseOptions,
    FilterOptions,
    PrefectOptions,
    RetentionOptions,
    Settings,
    SourceOptions,
    SpeechModel,
    SpeechOptions,
    StoreOptions,
    TextOptions,
)

__all__ = [
    "AudioOptions",
    "DaskOptions",
    "DatabaseOptions",
    "FilterOptions",
    "PrefectOptions",
    "RetentionOptions",
    "Settings",
    "SourceOptions",
    "SpeechModel",
    "SpeechOptions",
    "StoreOptions",
    "TextOptions",
]
