"""That the look at a wire sees what must not be there."""

import pytest

from support.wire import assert_nothing_is_seen


@pytest.mark.parametrize("line", [b"USER anna\r\n", b"PASS \r\n", b"EPSV\r\n", b"226 Done.\r\n", b"the file's words"])
def test_what_is_in_clear_is_seen(line):
    with pytest.raises(AssertionError, match="in clear"):
        assert_nothing_is_seen(b"220 here\r\nAUTH TLS\r\n234 go on\r\n\x16\x03" + line + b"\x17\x03", ["the file's words"])


def test_what_may_be_chance_is_not():
    assert_nothing_is_seen(b"220 here\r\nAUTH TLS\r\n234 go on\r\n\x16\x03USER\x00RETR\x17\x03", [b"anna-maria"])
