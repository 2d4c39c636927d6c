"""What is stored is what was sent, byte for byte, whatever its size, direction, TLS version and protection."""

import functools
import hashlib
import random

import pytest

SIZES = [0, 1, 16383, 16384, 16385, 1 << 20]


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("level", ["C", "P"])
@pytest.mark.parametrize("size", SIZES)
def test_upload_is_stored_whole(front, each_tls, level, size):
    """Guards against lost last bytes: a TLS record that is exactly full, the empty file, the byte after a full record."""
    client = front.login(tls=each_tls, level=level)
    client.upload(f"STOR up-{size}", content_of(size))
    assert (front.server.home / f"up-{size}").read_bytes() == content_of(size)


@pytest.mark.parametrize("level", ["C", "P"])
@pytest.mark.parametrize("size", SIZES)
def test_download_arrives_whole_and_ends_in_order(front, each_tls, level, size):
    """Guards against a cut end of a download, and (in receive_all) against an end without close_notify."""
    front.server.put(f"down-{size}", content_of(size))
    client = front.login(tls=each_tls, level=level)
    assert client.download(f"RETR down-{size}") == content_of(size)


def test_the_end_of_a_download_meets_no_reset(front, each_tls):
    """The client answers close_notify and FIN, late. A gateway that has closed by then answers with RST, on which some
    systems throw away what the client has not read yet, and some clients report an error."""
    front.server.put("end", content_of(100_000))
    client = front.login(tls=each_tls)
    data = client.open_data("RETR end")
    assert data.receive_all() == content_of(100_000)
    client.expect_reply(226)
    data.end()


def test_many_transfers_in_one_session(front):
    """Guards against state left over from one transfer to the next, as a port, a descriptor or a reply out of step."""
    client = front.login()
    for number in range(50):
        content = content_of(1000 + number)
        client.upload("STOR many", content)
        assert client.download("RETR many") == content


def test_list_and_nlst(front):
    """Guards against listings being treated other than files: 300 entries take several reads."""
    for number in range(300):
        front.server.put(f"list/entry-{number:03}", b"")
    client = front.login()
    client.expect("CWD list", 250)
    assert len([line for line in client.download("NLST").splitlines() if b"entry-" in line]) == 300
    assert len([line for line in client.download("LIST").splitlines() if b"entry-" in line]) == 300


def test_type_a_is_passed_on_unchanged(front):
    """Guards against the gateway converting line ends itself: the raw ftpd does it, once."""
    client = front.login()
    client.expect("TYPE A", 200)
    client.upload("STOR ascii", b"one\r\ntwo\r\n")
    again = client.download("RETR ascii")
    assert again.replace(b"\r\n", b"\n") == b"one\ntwo\n"


def test_eight_clients_at_once(front):
    """Guards against sessions mixing up their data."""
    clients = [front.login() for _ in range(8)]
    contents = [content_of(200_000 + number) for number in range(8)]
    channels = [client.open_data(f"STOR parallel-{number}") for number, client in enumerate(clients)]
    for start in range(0, 210_000, 10_000):
        for channel, content in zip(channels, contents):
            channel.send(content[start : start + 10_000])
    for client, channel in zip(clients, channels):
        channel.end()
        client.expect_reply(226)
    for number, content in enumerate(contents):
        stored = (front.server.home / f"parallel-{number}").read_bytes()
        assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("waits_for_the_answer", [False, True])
def test_early_client_hello(front, each_tls, waits_for_the_answer):
    """curl sends its ClientHello on the data connection before the verb, and holds the verb back for a while in the hope of
    an answer. Guards against a gateway that takes up TLS only after the 150 and has closed or answered in the clear before,
    and against one that makes curl wait."""
    front.server.put("early", b"early bird")
    client = front.login(tls=each_tls)
    data = client.connect_data(client.passive())
    data.prepare_tls(client.context, client.tls.session)
    if waits_for_the_answer:
        data.handshake()
    else:
        data.client_hello()
    client.send_line("RETR early")
    client.expect_reply(150)
    if not waits_for_the_answer:
        data.handshake()
    assert data.receive_all() == b"early bird"
    data.end_leniently()
    client.expect_reply(226)


def test_late_client_hello(front, each_tls):
    """ftplib starts TLS only when it has read the 150. Guards against the deadlock of waiting for a handshake first."""
    front.server.put("late", b"worm")
    client = front.login(tls=each_tls)
    data = client.connect_data(client.passive())
    client.send_line("RETR late")
    client.expect_reply(150)
    client.protect_data(data)
    assert data.receive_all() == b"worm"
    data.end_leniently()
    client.expect_reply(226)


FIVE_GIB = (5 << 30) + 1
MEBIBYTE = 1 << 20


def long_content():
    """Five gibibytes, a mebibyte at a time: mostly holes, so that a file of it takes no room, but no two mebibytes are alike."""
    for number in range(FIVE_GIB // MEBIBYTE):
        yield number.to_bytes(8, "big") + bytes(MEBIBYTE - 8)
    yield b"x"


@functools.cache
def sha256_of_long_content() -> str:
    digest = hashlib.sha256()
    for block in long_content():
        digest.update(block)
    return digest.hexdigest()


@pytest.mark.big
@pytest.mark.parametrize("level", ["C", "P"])
def test_five_gibibytes_down(front, each_tls, level):
    """Guards against 32-bit counts."""
    path = front.server.put("big", b"")
    with open(path, "r+b") as file:
        for number, block in enumerate(long_content()):
            file.seek(number * MEBIBYTE)
            file.write(block[:8])
    client = front.login(tls=each_tls, level=level)
    data = client.open_data("RETR big")
    received, digest = 0, hashlib.sha256()
    while part := data.receive(MEBIBYTE):
        received += len(part)
        digest.update(part)
    data.end_leniently()
    client.expect_reply(226)
    path.unlink()
    assert (received, digest.hexdigest()) == (FIVE_GIB, sha256_of_long_content())


@pytest.mark.big
@pytest.mark.parametrize("level", ["C", "P"])
def test_five_gibibytes_up(play, start_gateway, each_tls, level):
    """Guards against 32-bit counts. The raw ftpd throws the bytes away, so they take no room."""
    arrived = []

    def script(session):
        session.login()
        session.serve_until("STOR")
        session.say("150 go")
        with session.data() as data:
            buffer, total, digest = bytearray(MEBIBYTE), 0, hashlib.sha256()
            while size := data.recv_into(buffer):
                total += size
                digest.update(memoryview(buffer)[:size])
        arrived.append((total, digest.hexdigest()))
        session.say("226 done")
        session.serve_rest()

    client = start_gateway(play(script), listener={"data_security": "optional"}).secure(each_tls).login("u", "p")
    if level == "P":
        client.protect()
    data = client.open_data("STOR big")
    for block in long_content():
        data.send(block)
    data.end()
    client.expect_reply(226)
    assert arrived == [(FIVE_GIB, sha256_of_long_content())]
