"""What a server announces of a file, and what comes: safetp get and put with servers that miscount, forget REST, or whose files
change meanwhile."""

import calendar
import os

import pytest

from support import safetp
from support.safetp import Safetp
from support.scripted_server import Session
from support.scripted_tls import LOGIN_REPLIES, begin_tls, server_context, url_of


@pytest.fixture
def client(directory) -> Safetp:
    return Safetp(directory / "user")


def set_time_of_the_server(path) -> None:
    modified = calendar.timegm((2024, 1, 1, 0, 0, 0))  # as LOGIN_REPLIES has it
    os.utime(path, (modified, modified))


@pytest.fixture
def serve(play, certificate):
    """serve(size, content, obeys=..., rest=...): a server that answers SIZE with `size`, and RETR with `content`."""
    context = server_context(certificate)

    def script_of(size: str, content: bytes, obeys: bool, rest: str):
        def script(session: Session) -> None:
            seen_before = len(session.seen)
            begin_tls(session, context)
            session.serve_until("RETR", LOGIN_REPLIES | {"SIZE": size, "REST": rest})
            asked = [line for line in session.seen[seen_before:] if line.startswith(b"REST ")]
            start = int(asked[-1].split()[1]) if asked and obeys else 0
            session.say("150 here it comes")
            data = context.wrap_socket(session.data(), server_side=True)
            try:
                data.sendall(content[start:])
                data.unwrap()
                data.close()
                session.say("226 done")
                session.serve_rest()
            except OSError:
                pass  # the client has seen enough

        return script

    return lambda size, content, obeys=True, rest="350 ok": play(script_of(size, content, obeys, rest))


def test_more_than_announced(serve, client):
    """Guards against a file that is cut at what SIZE said, and called whole: as a log that is being written to."""
    server = serve("213 5", b"0123456789")
    client.run("get", url_of(server) + "/file").expect(safetp.TRY_AGAIN, "announced 5 bytes", "sent 10", "being written")
    assert not (client.directory / "file").exists()
    assert (client.directory / "file.part").read_bytes() == b"0123456789", "all of it is there for who knows better"
    finished = client.run("get", url_of(server) + "/file", "-o", "-").expect(safetp.TRY_AGAIN, "sent 10")
    assert finished.out == b"0123456789"


def test_fewer_than_announced(serve, client):
    server = serve("213 10", b"01234")
    client.run("get", url_of(server) + "/file").expect(safetp.TRY_AGAIN, "announced 10 bytes", "sent 5")
    assert not (client.directory / "file").exists()


@pytest.mark.parametrize("size", ["213 -1", "213 9223372036854775808", "213 5 bytes", "213 0x5", "250 5", "502 ?"])
def test_size_that_is_none(serve, client, size):
    """It announces nothing: the end in order decides."""
    client.run("get", url_of(serve(size, b"0123456789")) + "/file").expect(safetp.OK)
    assert (client.directory / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("rest", ["350 ok", "200 what?", "502 what?"])
@pytest.mark.parametrize("there", [5, 8])
def test_rest_that_is_not_obeyed(serve, client, rest, there):
    """Guards against 0123401234: what comes from the beginning is no continuation."""
    server = serve("213 10", b"0123456789", obeys=False, rest=rest)
    (client.directory / "file.part").write_bytes(b"0123456789"[:there])
    set_time_of_the_server(client.directory / "file.part")
    client.run("get", "-c", url_of(server) + "/file").expect(safetp.OK, "beginning anew")
    assert (client.directory / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("size", ["213 -1", "502 ?"])
def test_without_a_size_nothing_is_continued(serve, client, size):
    """Whether REST was obeyed could not be seen."""
    server = serve(size, b"0123456789", obeys=False)
    (client.directory / "file.part").write_bytes(b"01234")
    set_time_of_the_server(client.directory / "file.part")
    client.run("get", "-c", url_of(server) + "/file").expect(safetp.OK, "beginning anew")
    assert (client.directory / "file").read_bytes() == b"0123456789"


def test_continued_and_too_long(serve, client):
    """REST is obeyed, but the file has grown: the part is one of another file."""
    server = serve("213 7", b"0123456789")
    (client.directory / "file.part").write_bytes(b"01234")
    set_time_of_the_server(client.directory / "file.part")
    client.run("get", "-c", url_of(server) + "/file").expect(safetp.TRY_AGAIN, "beginning anew", "announced 7 bytes", "sent 10")
    assert not (client.directory / "file").exists()


@pytest.fixture
def take(play, certificate):
    """take(before, afterwards): a server that answers SIZE so, and takes one APPE."""
    context = server_context(certificate)
    taken: list[bytes] = []

    def script_of(before: str, afterwards: str):
        def script(session: Session) -> None:
            begin_tls(session, context)
            session.serve_until("APPE", LOGIN_REPLIES | {"SIZE": before})
            session.say("150 go on")
            data = context.wrap_socket(session.data(), server_side=True, suppress_ragged_eofs=False)
            received = b""
            try:
                while part := data.recv(65536):
                    received += part
                data.unwrap()
                data.close()
                taken.append(received)
                session.say("226 done")
                session.serve_rest({"SIZE": afterwards})
            except OSError:
                pass

        return script

    return lambda before, afterwards: (play(script_of(before, afterwards)), taken)


def test_upload_is_continued_and_counted(take, client):
    server, taken = take("213 4", "213 10")
    (client.directory / "file").write_bytes(b"0123456789")
    client.run("put", "-c", "file", url_of(server) + "/").expect(safetp.OK)
    assert taken == [b"456789"]


def test_upload_that_another_one_disturbs(take, client):
    """Two that append at the same time."""
    server, _ = take("213 4", "213 16")
    (client.directory / "file").write_bytes(b"0123456789")
    client.run("put", "-c", "file", url_of(server) + "/").expect(safetp.TRY_AGAIN, "has 16 bytes", "not 10")


def test_upload_is_not_continued_where_the_size_is_none(take, client):
    """Guards against "213 -1" being read as 1."""
    server, taken = take("213 -1", "213 10")
    (client.directory / "file").write_bytes(b"0123456789")
    client.run("put", "-c", "file", url_of(server) + "/").expect(safetp.TRY_AGAIN, "without -c", "213 -1")
    assert not taken
