"""A program that holds idle and slow connections open: `python -m tests.e2e.crowd HOST PORT IDLE SLOW`.

It prints `ready` once all are open, and ends when its standard input does. A slow one sends one byte of its
headers a second; when the server ends it, another takes its place.
"""

import os
import select
import socket
import sys
import time

_REQUEST = b"GET /health HTTP/1.1\r\nHost: x\r\n"
_LONG = _REQUEST + b"a: " + b"b" * 30_000


def connect(address: tuple[str, int], begin: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=60)
    connection.sendall(begin)
    return connection


def main(host: str, port: int, idle: int, slow: int) -> None:
    address = (host, port)
    idle_ones = [connect(address, _REQUEST + b"\r\n") for _ in range(idle)]
    for connection in idle_ones:
        connection.recv(1000)
    slow_ones = [connect(address, _LONG[: len(_REQUEST)]) for _ in range(slow)]
    sent = [len(_REQUEST)] * slow
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for number, connection in enumerate(slow_ones):
            try:
                connection.send(_LONG[sent[number] : sent[number] + 1])
                sent[number] += 1
            except OSError:
                connection.close()
                slow_ones[number] = connect(address, _REQUEST)
                sent[number] = len(_REQUEST)
            time.sleep(1 / slow)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
    os._exit(0)  # closes all sockets at once
