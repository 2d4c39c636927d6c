"""Each FTP session has a ticket key of its own, and takes it along: nobody who comes by the memory of a process later opens what
somebody has recorded."""

import array
import hmac
import os
import ssl
import struct
import subprocess

import pytest

from support.client import SAFETY_NET
from support.memory import regions_of

MAC_BYTES = 32  # HMAC-SHA-256 over key name, IV and what is sealed (RFC 5077 section 4, as OpenSSL has it)
SESSION_TICKET, PRE_SHARED_KEY = 35, 41


def extensions(hello: bytes) -> dict[int, bytes]:
    """Of a ClientHello in one record (RFC 8446 section 4.1.2)."""
    at = 5 + 4 + 2 + 32  # record, handshake, version, random
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at] + 2
    found = {}
    while at < len(hello):
        kind, size = struct.unpack_from("!HH", hello, at)
        found[kind] = hello[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def ticket_in(hello: bytes) -> bytes:
    offered = extensions(hello)
    if PRE_SHARED_KEY not in offered:
        return offered[SESSION_TICKET]
    size = int.from_bytes(offered[PRE_SHARED_KEY][2:4], "big")
    return offered[PRE_SHARED_KEY][4 : 4 + size]


def opens(ticket: bytes, key: bytes) -> bool:
    return hmac.digest(key, ticket[:-MAC_BYTES], "sha256") == ticket[-MAC_BYTES:]


def holds_key_of(pid: int, ticket: bytes) -> bool:
    """Whether any 32 bytes of its memory authenticate the ticket."""
    for content in regions_of(pid, "rw"):
        words = array.array("Q", content)
        for i in range(len(words) - 3):
            if words[i] and words[i + 1] and words[i + 2] and words[i + 3]:  # a key has no such zeros
                if opens(ticket, content[8 * i : 8 * i + 32]):
                    return True
    return False


@pytest.mark.unsanitized
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_no_ticket_key_outlives_its_session(start_server, start_gateway, authority, version):
    server = start_server()
    gateway = start_gateway(server, process={"workers": 1})
    context = authority.trusting(minimum=version, maximum=version)
    [worker] = gateway.workers()
    client = gateway.secure(context).login(server.server.user, server.server.password).protect()
    data = client.connect_data(client.passive())
    data.prepare_tls(context, client.tls.session, client.server_name)
    with pytest.raises(ssl.SSLWantReadError):
        data.tls.do_handshake()
    hello = data.outgoing.read()
    data.socket.sendall(hello)
    client.expect("NLST", 150)
    data.handshake()
    assert data.tls.session_reused
    data.receive_all()
    data.end_leniently()
    client.expect_reply(226)

    ticket = ticket_in(hello)
    assert ticket[:4] == b"\0\0" + ticket[2:4], "the gateway's number, and the worker's"
    assert holds_key_of(worker, ticket), "else what follows says nothing"
    for process in gateway.leftovers():
        pid = int(process.split()[0])
        assert pid == worker or not holds_key_of(pid, ticket), process
    client.expect("QUIT", 221)
    client.close()
    gateway.wait_for_log('"event": ?"end"')
    assert not holds_key_of(worker, ticket)


@pytest.mark.parametrize("rule, has_exchange", [("session", False), ("each", True)])
def test_where_the_keys_of_data_connections_come_from(start_server, start_gateway, authority, rule, has_exchange):
    """lftp's GnuTLS offers both ways (psk_ke and psk_dhe_ke), and says what it has got."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(server, listener={"session_reuse": "require"}, tls={"data_key_exchange": rule})
    script = f"debug 20; set ssl:ca-file {authority.root.certificate}; set ssl:check-hostname no; set ftp:ssl-force yes;"
    script += "set ftp:ssl-protect-data yes; set net:max-retries 1; set cmd:fail-exit yes;"
    script += f"open -u {server.server.user},{server.server.password} ftp://127.0.0.1:{gateway.port}; cat file"
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    lftp = subprocess.run(["lftp", "--norc", "-c", script], env=environment, capture_output=True, text=True, timeout=SAFETY_NET)
    assert (lftp.returncode, lftp.stdout) == (0, "content"), lftp.stderr
    _, *resumed = lftp.stderr.split("selected PSK-resumption mode")
    assert len(resumed) == 1
    assert ("Parsing extension 'Key Share/51'" in resumed[0]) == has_exchange
