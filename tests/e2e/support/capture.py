"""What passes on a wire, put together again: one stream of bytes for each direction of each TCP connection, so that a word is found
also where it was cut into packets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from .namespaces import Network

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33
ETHERNET_BYTES, IPV6_BYTES = 14, 40
BUFFER_BYTES = 1 << 26
FRAME_BYTES = 1 << 17  # a virtual wire passes on what was not cut into packets yet


def parse(frame: bytes) -> tuple[bytes, int, bool, bytes] | None:
    """(addresses and ports, sequence number, whether a connection begins, payload) of a TCP packet."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[ETHERNET_BYTES + 9] == socket.IPPROTO_TCP:
        packet = frame[ETHERNET_BYTES:]
        header, total = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        ends, segment = packet[12:20], packet[header : total or None]
    elif kind == b"\x86\xdd" and frame[ETHERNET_BYTES + 6] == socket.IPPROTO_TCP:
        packet = frame[ETHERNET_BYTES:]
        length = struct.unpack("!H", packet[4:6])[0]
        ends, segment = packet[8:40], packet[IPV6_BYTES : IPV6_BYTES + length if length else None]
    else:
        return None
    number, begins = struct.unpack("!I", segment[4:8])[0], bool(segment[13] & 2)
    return ends + segment[:4], number, begins, segment[(segment[12] >> 4) * 4 :]


class Stream:
    def __init__(self, first: int):
        self.first, self.pieces = first, {}

    def add(self, number: int, payload: bytes) -> None:
        at = (number - self.first) % 2**32
        if len(payload) > len(self.pieces.get(at, b"")):
            self.pieces[at] = payload

    def join(self) -> bytes:
        whole = bytearray()
        for at in sorted(self.pieces):
            assert at <= len(whole), f"the capture lacks bytes {len(whole)} to {at} of a stream"
            whole += self.pieces[at][len(whole) - at :]
        return bytes(whole)


class Capture:
    """`with Capture(network, "wan") as capture: ...`, and then capture.streams() of the connections that began meanwhile."""

    def __init__(self, network: Network, wire: str):
        with network.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self.socket.bind((wire, 0))
        self.frames: list[bytes] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        self.socket.settimeout(0.05)
        while not self.is_over.is_set():
            with contextlib.suppress(TimeoutError):
                self.frames.append(self.socket.recv(FRAME_BYTES))
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.frames.append(self.socket.recv(FRAME_BYTES))

    def __enter__(self) -> Capture:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over.set()
        self.thread.join()
        lost = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.socket.close()
        assert lost == 0, f"the capture has lost {lost} packets"

    def streams(self) -> list[bytes]:
        streams: list[Stream] = []
        current: dict[bytes, Stream] = {}
        for packet in filter(None, map(parse, self.frames)):
            ends, number, begins, payload = packet
            is_known = begins and ends in current and current[ends].first == (number + 1) % 2**32
            if begins and not is_known:  # once more the same, if it was sent again
                current[ends] = Stream((number + 1) % 2**32)
                streams.append(current[ends])
            if ends in current and payload:
                current[ends].add(number + begins, payload)
        return [stream.join() for stream in streams]
