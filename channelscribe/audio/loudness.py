"""Loudness by EBU R128 (https://tech.ebu.ch/publications/r128) in two passes: measured first, then one gain for all.

The measurement is ffmpeg's `ebur128`, which agrees with `loudnorm` and takes a tenth of its time. One gain keeps the
dynamics as they were; only where a peak would go over its limit, a limiter holds that peak. What limiter and codec take
is estimated; the file itself is measured, and where the estimate was off (dense music, full-band noise) made again.
Needs and leaves nothing: these are filters for ffmpeg's command line and their reports.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass

from channelscribe.settings.audio import NormalizeOptions

__all__ = ["MEASUREMENT", "Loudness", "Shortfall", "correction", "read_loudness"]

# The report at the end comes whatever `framelog` says; "verbose" keeps the ten lines a second out of the log.
MEASUREMENT = "ebur128=peak=true:framelog=verbose"

_SILENCE_LUFS = -70.0  # the absolute gate of ITU-R BS.1770: below it there is no loudness to speak of
_OVERSAMPLED_HZ = 192_000
# LU of loudness that a limited dB of peak costs speech, and that the codec takes; measured on the sample channel.
_LOST_TO_LIMITER, _LOST_TO_CODEC = 0.15, 0.3
_LIMITER_MARGIN_DB = 0.2  # for what the way back to the archive's rate and the codec add to a peak
# Off by no more than this is not worth another try: half an LU and R128's own limit of -1 dBTP still hold.
_CLOSE_LU, _CLOSE_DB = 0.4, 0.3
_REPORT = re.compile(r"Summary:.*?\bI:\s+(\S+) LUFS.*?\bLRA:\s+(\S+) LU\b.*?\bPeak:\s+(\S+) dBFS", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loudness:
    """`integrated` in LUFS, `range` in LU, `true_peak` in dBTP."""

    integrated: float
    range: float
    true_peak: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def read_loudness(log: str) -> Loudness | None:
    """The last report in ffmpeg's log.

    None where there is none, and for (near) silence, which has no loudness and must not be amplified.
    """
    reports = _REPORT.findall(log)
    if not reports:
        return None
    values = [float(value) for value in reports[-1]]
    if not all(math.isfinite(value) for value in values) or values[0] <= _SILENCE_LUFS:
        return None
    return Loudness(*values)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What earlier tries have taught: `loudness` LU to add, `peak` dB that the limiter must hold lower."""

    loudness: float = 0.0
    peak: float = 0.0

    def learned(self, after: Loudness, options: NormalizeOptions) -> Shortfall:
        """With what a try came to; the same where that was good enough."""
        missing = options.target_lufs - after.integrated
        over = after.true_peak - options.true_peak_db
        if abs(missing) <= _CLOSE_LU and over <= _CLOSE_DB:
            return self
        return Shortfall(self.loudness + missing, self.peak + max(over, 0.0))


def correction(measured: Loudness, options: NormalizeOptions, shortfall: Shortfall | None = None) -> str:
    """The filters that bring what was `measured` to the wanted loudness.

    The limiter works on oversampled sound, where samples come close to the true peak; `latency` takes back the delay
    of its look-ahead, so that times stay.
    """
    learned = shortfall or Shortfall()
    gain = options.target_lufs - measured.integrated + _LOST_TO_CODEC + learned.loudness
    excess = measured.true_peak + gain - options.true_peak_db
    if excess + learned.peak <= 0:
        return f"volume={gain:.2f}dB:precision=float"
    gain += _LOST_TO_LIMITER * excess
    limit = 10 ** ((options.true_peak_db - _LIMITER_MARGIN_DB - learned.peak) / 20)
    limiter = f"alimiter=limit={limit:.4f}:attack=1:release=10:level=false:latency=true"
    return f"volume={gain:.2f}dB:precision=float,aresample={_OVERSAMPLED_HZ},{limiter}"
