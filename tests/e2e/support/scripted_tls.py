"""Scripts of an FTP server with TLS of its own, for ScriptedServer: for what no real one does on command."""

from __future__ import annotations

import ssl

from .certificates import Certificate
from .scripted_server import Session


def server_context(certificate: Certificate, maximum=ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = maximum
    return context


def url_of(server) -> str:
    return f"ftp://user@127.0.0.1:{server.port}"


def fingerprint(certificate: Certificate) -> str:
    """As safetp writes it."""
    return certificate.public_key_pin().replace("sha256//", "SHA256:").rstrip("=")


def begin_tls(session: Session, context: ssl.SSLContext) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.say("234 go on")
    try:
        session.socket = context.wrap_socket(session.socket, server_side=True)
    except ssl.SSLError as refused:
        raise EOFError("the client refused the certificate") from refused


LOGIN_REPLIES = {
    "USER": "331 password?",
    "PASS": "230 in",
    "PBSZ": "200 ok",
    "PROT": "200 ok",
    "CWD": "250 ok",
    "SIZE": "502 ?",
    "MDTM": "213 20240101000000",
}


def serving(context: ssl.SSLContext, content: bytes = b"content", data_context=None, end=lambda data: data.unwrap(), size=None, verb="RETR"):
    """A script that serves one RETR; `end` says how its data connection ends."""

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until(verb, LOGIN_REPLIES | {"SIZE": size or f"213 {len(content)}"})
        session.say("150 here it comes")
        try:
            data = (data_context or context).wrap_socket(session.data(), server_side=True)
            data.sendall(content)
            end(data)
            data.close()
            session.say("226 done")
            session.serve_rest()
        except OSError:
            pass  # the client has gone: whether it should have is for the test to say, at the client's end

    return script
