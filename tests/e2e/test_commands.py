"""The commands that pass through: REST, APPE, STOU, SIZE and company, names of all kinds, FEAT and HOST."""

import pytest

from support.client import FtpClient


def test_rest_retr(front):
    """Guards against the gateway putting a command of its own between REST and RETR, which makes some daemons forget it."""
    front.server.put("rest", b"0123456789")
    client = front.login()
    for mode in ("EPSV", "PASV", "EPRT", "PORT"):
        if mode in ("EPSV", "PASV"):
            address = client.passive(mode)
            client.expect("REST 4", 350)
            data = client.connect_data(address)
            client.expect("RETR rest", 150)
        else:
            with client.active(mode) as listener:
                client.expect("REST 4", 350)
                client.send_line("RETR rest")
                data = type(client).__mro__[1](listener.accept()[0])
                client.expect_reply(150)
        assert client.protect_data(data).receive_all() == b"456789"
        data.end_leniently()
        client.expect_reply(226)


def test_rest_before_the_data_command(front):
    """The other order, which curl uses not but ncftp does: REST, EPSV, RETR."""
    front.server.put("rest", b"0123456789")
    client = front.login()
    client.expect("REST 7", 350)
    assert client.download("RETR rest") in (b"789", b"0123456789")  # vsftpd keeps it, others may not: the gateway adds nothing


def test_rest_stor(front):
    """Resumed upload."""
    front.server.put("resumed", b"0123456789")
    client = front.login()
    address = client.passive()
    client.expect("REST 5", 350)
    data = client.connect_data(address)
    client.expect("STOR resumed", 150)
    client.protect_data(data)
    data.send(b"ABCDE")
    data.end()
    client.expect_reply(226)
    assert (front.server.home / "resumed").read_bytes() == b"01234ABCDE"


def test_rest_beyond_32_bits(front):
    """64-bit offsets go through untouched."""
    client = front.login()
    assert "8589934592" in client.expect("REST 8589934592", 350).text


def test_appe(front):
    """Appends, and creates what is not there."""
    client = front.login()
    client.upload("APPE appended", b"one")
    client.upload("APPE appended", b"two")
    assert (front.server.home / "appended").read_bytes() == b"onetwo"


def test_stou_without_argument(front):
    """RFC 1123 section 4.1.2.9: the name is in the 150's text, which must come through as it is."""
    client = front.login()
    data = client.connect_data(client.passive())
    reply = client.expect("STOU", 150, 125)
    client.protect_data(data)
    data.send(b"unique")
    data.end()
    client.expect_reply(226)
    name = reply.text.split("FILE: ")[1].split()[0]
    assert (front.server.home / name).read_bytes() == b"unique"


def test_size_and_mdtm(front):
    """Guards against the gateway answering in the raw ftpd's place."""
    front.server.put("known", b"x" * 1234)
    client = front.login()
    assert client.expect("SIZE known", 213).text == "213 1234"
    assert client.expect("MDTM known", 213).text.startswith("213 2")
    client.expect("SIZE unknown", 550)
    client.expect("MDTM unknown", 550)


def test_allo_noop_syst_help(front):
    """Go through."""
    client = front.login()
    client.expect("ALLO 1000", 200, 202)
    client.expect("NOOP", 200)
    client.expect("SYST", 215)
    client.expect("HELP", 214)


def test_site_chmod(front):
    """SITE and its arguments go through."""
    path = front.server.put("mode", b"")
    client = front.login()
    client.expect("SITE CHMOD 600 mode", 200)
    assert path.stat().st_mode & 0o777 == 0o600


def test_directories_and_renaming(front):
    """MKD, CWD, CDUP, RNFR, RNTO, DELE, RMD: multi-step commands stay in step."""
    client = front.login()
    client.expect("MKD tree", 257)
    client.expect("CWD tree", 250)
    client.upload("STOR leaf", b"")
    client.expect("RNFR leaf", 350)
    client.expect("RNTO twig", 250)
    client.expect("DELE twig", 250)
    client.expect("CDUP", 200, 250)
    client.expect("RMD tree", 250)


def test_stat_of_a_directory(front):
    """A listing on the control connection: lines of it may look like anything, even like replies."""
    for name in ("213 not the end", "220-neither", "500 nor this"):
        front.server.put(f"odd/{name}", b"")
    client = front.login()
    reply = client.expect("STAT odd", 213, 212, 211)
    assert len(reply.lines) >= 5
    client.expect("PWD", 257)


def test_mlsd_and_mlst(start_server, start_gateway, tls):
    """RFC 3659, with a raw ftpd that has it."""
    server = start_server("proftpd")
    server.server.put("facts", b"12345")
    client = start_gateway(server).secure(tls).login(server.server.user, server.server.password).protect()
    lines = client.download("MLSD").splitlines()
    assert any(b"size=5" in line.lower() and line.endswith(b" facts") for line in lines)
    assert b"size=5" in client.expect("MLST facts", 250).lines[1].lower()
    client.expect("OPTS MLST size;type;", 200)
    client.expect("OPTS UTF8 ON", 200)


NAMES = [
    "plain",
    "with space",
    " leading",
    "trailing ",
    "tab\there",
    'quote"d',
    "semi;colon",
    "dollar$(x)`y`",
    "percent%20",
    "-dash",
    "\u00fcml\u00e4ut",
    "\u65e5\u672c",
    "e\u0301 decomposed",
    "\u202eright to left",
    "\U0001f600",
    "a" * 200,
    "*?[]",
    "back\\slash",
    "'single'",
    "226 done",
    "\u00ff y-umlaut",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_pass_unchanged(front, name):
    """Guards against trimming, normalising, transcoding or interpreting a name (seen: pure-ftpd trims)."""
    client = front.login()
    client.upload(f"STOR {name}", name.encode())
    assert (front.server.home / name).read_bytes() == name.encode()
    assert client.download(f"RETR {name}") == name.encode()
    client.expect(f"DELE {name}", 250)


@pytest.mark.parametrize("name", [b"latin1-\xe4\xf6\xfc", b"\x80\x81\xfe", b"broken-utf8-\xc3"])
def test_names_that_are_not_utf8(front, name):
    """RFC 2640 wants UTF-8, disks hold anything. Guards against a gateway that lets only valid text through."""
    client = front.login()
    client.upload(b"STOR " + name, b"x")
    assert (front.server.home / name.decode("utf-8", "surrogateescape")).exists()
    client.expect(b"DELE " + name, 250)


def test_iac_in_a_name_reaches_the_raw_ftpd_as_sent(play, start_gateway, tls):
    """0xFF is Telnet's escape, doubled inside names (RFC 959): raw ftpds differ, so what came must be what goes."""
    server = play(lambda session: (session.login(), session.serve_rest({"DELE": "250 gone"})))
    client = start_gateway(server).secure(tls).login("u", "p")
    client.expect(b"DELE one\xff\xfftwo", 250)
    assert b"DELE one\xff\xfftwo" in server.seen


def test_quoted_directory_name(front):
    """RFC 959: quotes in the 257 are doubled. Guards against rewriting its text."""
    client = front.login()
    client.expect('MKD say "hi"', 257)
    client.expect('CWD say "hi"', 250)
    assert '/say ""hi"""' in client.expect("PWD", 257).text


def features(client) -> list[str]:
    reply = client.expect("FEAT", 211)
    assert reply.lines[0].startswith(b"211-") and reply.lines[-1].startswith(b"211 ")
    assert all(line.startswith(b" ") and not line.startswith(b"  ") for line in reply.lines[1:-1]), reply
    return [line.decode()[1:] for line in reply.lines[1:-1]]


def test_feat_before_auth_offers_tls(front):
    """lftp and FileZilla look there. One space before each feature (RFC 2389)."""
    assert {"AUTH TLS", "PBSZ", "PROT"} <= set(features(front.gateway.connect().greet()))


@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"])
def test_feat_is_what_works(start_server, start_gateway, tls, name):
    """The raw ftpd's list and the gateway's own, nothing invented (seen: a proxy adds MLST where the server says 500),
    nothing twice, nothing that is refused."""
    server = start_server(name)
    client = start_gateway(server).secure(tls).login(server.server.user, server.server.password).protect()
    listed = features(client)
    names = [feature.split()[0].upper() for feature in listed]
    assert len(set(names)) == len(names), listed
    assert {"AUTH", "PBSZ", "PROT", "EPSV", "EPRT", "SIZE", "MDTM", "REST"} <= set(names)
    assert not {"CCC", "SSCN", "CPSV", "ADAT", "MIC", "CONF", "ENC", "LPRT", "LPSV", "ESTP", "ESTA"} & set(names)
    assert "MODE Z" not in listed
    direct = FtpClient(server.port).greet().login(server.server.user, server.server.password)
    for feature in {"MLST", "CLNT", "UTF8", "TVFS"} & set(names):
        question = {"MLST": "MLST /", "CLNT": "CLNT test", "UTF8": "OPTS UTF8 ON", "TVFS": "CWD /"}[feature]
        assert client.command(question).code == direct.command(question).code, feature


def test_feat_of_a_server_without(play, start_gateway, tls):
    """502 or 530 from the raw ftpd: the gateway's own list then."""
    for code in ("500 ?", "502 no", "530 log in first"):
        server = play(lambda session: (session.say("220 old"), session.serve_rest({"FEAT": code})))
        assert "AUTH TLS" in features(start_gateway(server).secure(tls))


def test_odd_feat_lines(play, start_gateway, tls):
    """Blank lines, a code before each feature, two spaces, none (seen with real servers): tidied up."""

    def script(session):
        session.say("220 odd")
        session.serve_until("FEAT")
        session.say("211-Features", "211-MDTM", "  SIZE", "", "REST STREAM", "\tTVFS", " AUTH TLS;SSL;", " MODE Z", "211 End")
        session.serve_rest()

    listed = features(start_gateway(play(script)).secure(tls))
    assert {"MDTM", "SIZE", "REST STREAM", "TVFS", "AUTH TLS"} <= set(listed)
    assert "MODE Z" not in listed and "" not in listed


@pytest.mark.parametrize(
    "line,code",
    [("MODE S", 200), ("MODE B", 504), ("MODE Z", 504), ("MODE C", 504), ("STRU F", 200), ("STRU R", 504), ("STRU P", 504)],
)
def test_mode_and_stru(front, line, code):
    """In MODE B the gateway could not tell the end of a file. Guards against compression by the back door too."""
    front.login().expect(line, code)


def test_host(play, start_gateway, tls):
    """RFC 7151: before USER only, no port, the name that TLS has agreed on."""
    server = play(
        lambda session: (
            session.say("220 hosts"),
            session.serve_rest({"HOST": "220 that one", "USER": "331 ?", "PASS": "230 in"}),
        )
    )
    gateway = start_gateway(server)
    client = gateway.secure(tls, server_name="localhost")
    client.expect("HOST localhost", 220)
    client.expect("HOST elsewhere.example", 504)
    client.expect("HOST localhost:21", 501)
    client.expect("HOST", 501)
    client.login("u", "p")
    client.expect("HOST localhost", 503)


def test_unknown_commands_are_the_raw_ftpds_to_answer(front):
    """Guards against a gateway that knows fewer commands than what it fronts."""
    client = front.login()
    client.expect("XPWD", 257, 500, 502)
    client.expect("NOSUCHVERB x y z", 500, 502)
