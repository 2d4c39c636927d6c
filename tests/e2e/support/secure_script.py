"""Parts of scripts for a ScriptedServer with TLS of its own, honest or not, towards a safe client side."""

from __future__ import annotations

import ssl

from .certificates import Certificate
from .client import Channel, Truncated
from .scripted_server import Session


def context_for(certificate: Certificate, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default takes any end for one in order
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


def secure_data(session: Session, context: ssl.SSLContext) -> Channel:
    """Not an ssl.SSLSocket, which takes a reset for a clean end now and then."""
    data = Channel(session.data())
    data.prepare_tls(context, server_side=True)
    data.handshake()
    return data


def end_data(data: Channel) -> None:
    """As it should be done: close_notify, then FIN."""
    data.close_notify()
    data.fin()
    try:
        while data.receive():
            pass
    except (OSError, Truncated):
        pass
    data.close()


def cut(data: Channel) -> None:
    """FIN without close_notify."""
    data.fin()
    data.close()


def read_upload(data: Channel) -> tuple[bytes, str]:
    """All bytes, and how it ended: "close_notify" or "cut"."""
    received = b""
    try:
        while part := data.receive():
            received += part
        return received, "close_notify"
    except (Truncated, ConnectionResetError):
        return received, "cut"
    finally:
        data.close()
