"""Who may log in, when, and that no password crosses the net in the clear."""

import pytest


def server_saw_nothing_of(server, *words: bytes) -> bool:
    return not any(word in line for line in server.seen for word in words)


def test_login_under_tls(front):
    """The plain case: AUTH TLS, USER, PASS, PWD."""
    client = front.secure().login(front.server.user, front.server.password)
    client.expect("PWD", 257)
    client.expect("QUIT", 221)


def test_wrong_password_is_refused_and_the_session_goes_on(front):
    """Guards against a refused login leaving the reply queue out of step."""
    client = front.secure()
    client.expect(f"USER {front.server.user}", 331)
    client.expect("PASS wrong", 530)
    client.login(front.server.user, front.server.password)


def test_user_in_the_clear_is_refused_before_a_password_is_asked_for(front):
    """A 331 in the clear makes the client send the password. Guards against refusing only at PASS."""
    client = front.gateway.connect().greet()
    client.expect(f"USER {front.server.user}", 530, 534)


def test_password_in_the_clear_never_reaches_the_server(play, start_gateway, tls):
    """Guards against forwarding first and refusing afterwards."""
    server = play(lambda session: (session.say("220 scripted"), session.serve_rest({"USER": "331 go on", "PASS": "230 in"})))
    gateway = start_gateway(server)
    client = gateway.connect().greet()
    client.expect("USER alice", 530, 534)
    client.expect("PASS letmein", 503, 530, 534)
    client.expect("ACCT x", 500, 502, 503, 530, 534)
    client.expect("QUIT", 221)
    assert server_saw_nothing_of(server, b"alice", b"letmein", b"ACCT")


@pytest.mark.parametrize(
    "line", ["PWD", "CWD /", "LIST", "RETR x", "STOR x", "PASV", "EPSV", "PORT 127,0,0,1,200,10", "DELE x", "SITE HELP"]
)
def test_nothing_but_the_start_is_served_in_the_clear(play, start_gateway, line):
    """Guards against commands that the raw ftpd might serve without a login reaching it from an unsecured client."""
    server = play(lambda session: (session.say("220 scripted"), session.serve_rest({line.split()[0]: "200 served"})))
    client = start_gateway(server).connect().greet()
    client.expect(line, 503, 522, 530, 534)
    assert server_saw_nothing_of(server, line.encode())


@pytest.mark.parametrize("line", ["NOOP", "SYST", "HELP", "FEAT", "QUIT"])
def test_harmless_commands_are_answered_in_the_clear(front, line):
    """Clients ask FEAT and SYST before AUTH. Guards against shutting them out."""
    reply = front.gateway.connect().greet().command(line)
    assert reply.code in (200, 211, 214, 215, 221, 502, 530), reply


def test_anonymous_may_stay_in_the_clear_where_the_policy_says_so(start_server, start_gateway, tls):
    """required-except-anonymous. Guards against the exception covering anybody else."""
    server = start_server("vsftpd")
    gateway = start_gateway(server, listener={"security": "required-except-anonymous"})
    client = gateway.connect().greet()
    client.expect("USER anonymous", 331)
    client.expect("PASS me@", 230)
    client.expect("PWD", 257)
    other = gateway.connect().greet()
    other.expect(f"USER {server.server.user}", 530, 534)
    client.expect(f"USER {server.server.user}", 500, 503, 530, 534)
    gateway.secure(tls).login(server.server.user, server.server.password)


@pytest.mark.parametrize("name", ["anonymous", "ftp", "ANONYMOUS", "Ftp"])
def test_both_names_of_anonymous(play, start_gateway, name):
    """`ftp` is anonymous too, in any case. Guards against an exception narrower than what raw ftpds take."""
    server = play(lambda session: (session.say("220 scripted"), session.serve_rest({"USER": "331 go on"})))
    start_gateway(server, listener={"security": "required-except-anonymous"}).connect().greet().expect(f"USER {name}", 331)


@pytest.mark.parametrize("name", ["anonymous2", "anon", "ftp ", " ftp", "ftpd", "anonymous\tx", "anonymous root"])
def test_nearly_anonymous_is_not_anonymous(play, start_gateway, name):
    """Guards against a comparison of prefixes, or one that trims where the raw ftpd does not."""
    server = play(lambda session: (session.say("220 scripted"), session.serve_rest({"USER": "331 go on"})))
    client = start_gateway(server, listener={"security": "required-except-anonymous"}).connect().greet()
    client.expect(f"USER {name}", 501, 530, 534)


def test_optional_security_lets_plain_clients_in(start_server, start_gateway, tls):
    """`optional` is for the time of a change-over. Guards against it meaning either `required` or `never`."""
    server = start_server()
    gateway = start_gateway(server, listener={"security": "optional"})
    plain = gateway.connect().greet().login(server.server.user, server.server.password)
    plain.expect("TYPE I", 200)
    plain.upload("STOR plain", b"in the clear")
    assert plain.download("RETR plain") == b"in the clear"
    secured = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    assert secured.download("RETR plain") == b"in the clear"


def test_data_in_the_clear_is_refused_when_data_security_is_required(start_server, start_gateway, tls):
    """The default. Guards against PROT C, or no PROT at all, sending files in the clear on a secured session."""
    server = start_server()
    server.server.put("secret", b"secret")
    client = start_gateway(server).secure(tls).login(server.server.user, server.server.password)
    client.passive()
    client.expect("RETR secret", 521)
    client.expect("PBSZ 0", 200)
    client.expect("PROT C", 534)
    client.expect("PROT P", 200)
    client.protected = True
    assert client.download("RETR secret") == b"secret"


def test_greeting_can_be_replaced(play, start_gateway):
    """Guards against telling the world which raw ftpd, of which version, runs behind."""
    server = play(lambda session: (session.say("220-OldFTPd 0.1", "220 with holes"), session.serve_rest()))
    gateway = start_gateway(server, greeting="Welcome to the archive")
    client = gateway.connect()
    assert client.reply().text == "220 Welcome to the archive"
    plain = start_gateway(server)
    assert b"220 with holes" in plain.connect().reply().lines


def test_login_failures_are_counted(start_server, start_gateway, tls):
    """login_failures = 3. Guards against a password being guessed at leisure through one connection."""
    server = start_server()
    client = start_gateway(server, limits={"login_failures": 3}).secure(tls)
    for attempt in range(3):
        client.expect(f"USER {server.server.user}", 331)
        code = client.command("PASS wrong").code
        assert code == 530 if attempt < 2 else code in (421, 530)
    if code == 530:
        client.expect_reply(421)
    assert client.receive() == b""


def test_another_client_is_not_hurt_by_login_failures(start_server, start_gateway, tls):
    """Guards against a limit that locks out everybody behind the same address."""
    server = start_server()
    gateway = start_gateway(server, limits={"login_failures": 1})
    failing = gateway.secure(tls)
    failing.expect(f"USER {server.server.user}", 331)
    failing.command("PASS wrong")
    gateway.secure(tls).login(server.server.user, server.server.password)
