"""Which names have been there before, in 16 to 32 bytes each however long they are."""

from __future__ import annotations

import os
from array import array
from hashlib import blake2b


class Seen:
    """A set of names, kept as 64-bit hashes in a table with linear probing.

    The hashes are keyed at random, so nobody can prepare names that collide; by chance two of a
    million do once in forty million imports.
    """

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._table = array("Q", bytes(8 * 1024))
        self._used = 0

    def add(self, name: bytes) -> bool:
        """Remember a name; answers whether it is new."""
        number = int.from_bytes(blake2b(name, digest_size=8, key=self._key).digest()) or 1
        place = _place(self._table, number)
        if self._table[place]:
            return False
        self._table[place] = number
        self._used += 1
        if 2 * self._used > len(self._table):
            self._grow()
        return True

    def _grow(self) -> None:
        table = array("Q", bytes(8 * 2 * len(self._table)))
        for number in self._table:
            if number:
                table[_place(table, number)] = number
        self._table = table


def _place(table: array[int], number: int) -> int:
    """Where the number is, or the free place where it belongs. 0 is free."""
    last = len(table) - 1
    place = number & last
    while table[place] not in {0, number}:
        place = (place + 1) & last
    return place
