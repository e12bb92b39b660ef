"""How far a consumer has come: an offset may be committed when everything before it is done.

Work on different keys ends out of order; a restart must repeat what was not done and may repeat what was.
"""

from collections import defaultdict


class Progress:
    """Tracks records taken and done, per partition. Not thread-safe: its owner keeps it to one thread or a lock."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[str, int], dict[int, bool]] = defaultdict(dict)
        self._under_way = 0

    def taken(self, topic: str, partition: int, offset: int) -> None:
        """A record was taken. Offsets of a partition come in rising order."""
        self._open[topic, partition][offset] = False
        self._under_way += 1

    def done(self, topic: str, partition: int, offset: int) -> int | None:
        """A record is done. Returns the offset to commit, the one to read next, or None when it cannot move yet."""
        records = self._open[topic, partition]
        if records.get(offset) is not False:
            return None
        records[offset] = True
        self._under_way -= 1
        reached = None
        while records and records[first := next(iter(records))]:
            del records[first]
            reached = first + 1
        return reached

    def forget(self, topic: str, partition: int) -> None:
        """The partition belongs to somebody else now; what is still under way here is no longer ours to commit."""
        records = self._open.pop((topic, partition), {})
        self._under_way -= sum(not finished for finished in records.values())

    def under_way(self) -> int:
        """Return how many records are taken and not done. What is done behind one that is not takes no part in it."""
        return self._under_way

    def held_up(self) -> int:
        """Return how many records are taken and not committed: done or not, something before them is not."""
        return sum(len(records) for records in self._open.values())
