"""How far a consumer has come: an offset may be committed when everything before it is done.

Work on different keys ends out of order; a restart must repeat what was not done and may repeat what was.
"""

from collections import defaultdict


class Progress:
    """Tracks records taken and done, per partition. Not thread-safe: its owner keeps it to one thread or a lock."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[str, int], dict[int, bool]] = defaultdict(dict)

    def taken(self, topic: str, partition: int, offset: int) -> None:
        """A record was taken. Offsets of a partition come in rising order."""
        self._open[topic, partition][offset] = False

    def done(self, topic: str, partition: int, offset: int) -> int | None:
        """A record is done. Returns the offset to commit, the one to read next, or None when it cannot move yet."""
        records = self._open[topic, partition]
        if offset not in records:
            return None
        records[offset] = True
        last = None
        for taken, finished in list(records.items()):
            if not finished:
                break
            last = taken
            del records[taken]
        return None if last is None else last + 1

    def forget(self, topic: str, partition: int) -> None:
        """The partition belongs to somebody else now; what is still under way here is no longer ours to commit."""
        self._open.pop((topic, partition), None)

    def under_way(self) -> int:
        """Return how many records are taken and not yet committed."""
        return sum(len(records) for records in self._open.values())
