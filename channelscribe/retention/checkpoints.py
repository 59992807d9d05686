"""Which checkpoints go: those that no video is made with, and those that are older than they may be."""

from __future__ import annotations

from channelscribe.catalogue import references
from channelscribe.catalogue.references import CheckpointUse
from channelscribe.retention.kinds import CHECKPOINTS
from channelscribe.retention.library import Library
from channelscribe.retention.report import Report
from channelscribe.retention.videos import Rules, batches
from channelscribe.store import ObjectInfo

__all__ = ["sweep_checkpoints"]

AT_ONCE = 500


def sweep_checkpoints(library: Library, rules: Rules, report: Report, seen: set[int]) -> None:
    """Everything below `checkpoints/`. The hashes of all keys that stay are added to `seen`."""
    for batch in batches(library.store.objects(CHECKPOINTS), AT_ONCE):
        seen.update(hash(found.key) for found in batch)
        going = _going(batch, library.catalogue.run(references.uses_of, [found.key for found in batch]), rules)
        if going and report.deleted:
            with library.catalogue.session() as session:
                uses = references.uses_of(session, [found.key for found, _ in going], lock=True)
                going = _going([found for found, _ in going], uses, rules)
                gone = [found.key for found, _ in going]
                library.store.delete_all(gone)
                references.forget_checkpoints(session, gone)
        for found, why in going:
            seen.discard(hash(found.key))
            report.add(why, CHECKPOINTS, found.key, found.bytes)


def _going(objects: list[ObjectInfo], uses: dict[str, CheckpointUse], rules: Rules) -> list[tuple[ObjectInfo, str]]:
    going = []
    for found in objects:
        use = uses.get(found.key)
        if use is None:
            if rules.is_orphan(found):
                going.append((found, "orphan"))
        elif not use.busy and rules.has_expired(CHECKPOINTS, found):
            going.append((found, "expired"))
    return going
