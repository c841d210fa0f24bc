"""Send the bytes of standard input from one address to another, and print the answer's bytes: for a namespace.

    python send_raw.py SOURCE SERVER PORT

The answer ends by its Content-Length, as a client with a connection that stays open reads it.
"""

from __future__ import annotations

import re
import socket
import sys


def exchange(source: str, server: str, port: int, request: bytes) -> bytes:
    with socket.create_connection((server, port), timeout=10, source_address=(source, 0)) as connection:
        connection.sendall(request)
        answer = b""
        while not is_complete(answer) and (chunk := connection.recv(65_536)):
            answer += chunk
        return answer


def is_complete(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return bool(blank) and length is not None and len(body) >= int(length[1])


if __name__ == "__main__":
    sys.stdout.buffer.write(exchange(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.stdin.buffer.read()))
