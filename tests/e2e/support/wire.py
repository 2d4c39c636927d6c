"""What may be read on a wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Whole lines: a bare word of four letters comes about in some gigabytes of ciphertext by chance, and in a test now and then.
LINE_IN_CLEAR = re.compile(rb"(?:USER|PASS|TYPE|EPSV|PASV|RETR|STOR|226|230|331)(?: [ -~]*)?\r\n")
SHORTEST_WORD = 6  # bytes; 2**48 is chance enough


def assert_nothing_is_seen(seen: bytes, words: Iterable[bytes | str]) -> None:
    """Neither a line of a login or a transfer nor one of `words`. AUTH and what stands before it must be in clear."""
    found = LINE_IN_CLEAR.search(seen)
    assert not found, f"in clear: {found[0]!r}"
    for word in words:
        word = word.encode() if isinstance(word, str) else word
        assert len(word) >= SHORTEST_WORD, f"{word!r} may be there by chance"
        assert word not in seen, f"in clear: {word!r}"
