"""Parts of scripts for a ScriptedServer with TLS of its own, honest or not, towards a safe client side."""

from __future__ import annotations

import socket
import ssl

from .certificates import Certificate
from .scripted_server import Session


def context_for(certificate: Certificate, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if version is not None:
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return context


def begin_tls(session: Session, context: ssl.SSLContext) -> None:
    assert not session.buffer, f"bytes in front of the handshake: {session.buffer!r}"
    session.socket = context.wrap_socket(session.socket, server_side=True)


def secure(session: Session, context: ssl.SSLContext) -> None:
    """Greeting to PROT P."""
    session.say("220 scripted")
    assert session.expect("AUTH") == b"AUTH TLS"
    session.say("234 go on")
    begin_tls(session, context)
    assert session.expect("PBSZ") == b"PBSZ 0"
    session.say("200 ok")
    assert session.expect("PROT") == b"PROT P"
    session.say("200 ok")


def secure_login(session: Session, context: ssl.SSLContext) -> None:
    secure(session, context)
    session.serve_until("PASS", {"USER": "331 password?"})
    session.say("230 in")


def secure_data(session: Session, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(session.data(), server_side=True)


def end_data(data: ssl.SSLSocket) -> None:
    """As it should be done: close_notify, then FIN."""
    try:
        data.unwrap().close()
    except (ssl.SSLError, OSError):
        data.close()


def cut(data: ssl.SSLSocket) -> None:
    """FIN without close_notify."""
    data.shutdown(socket.SHUT_RDWR)
    data.close()
