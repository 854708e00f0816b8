"""The helper that the other tests here read answers with."""

import socket
import struct

from support.server import PATIENCE, read_to_end


def test_what_came_before_a_reset_is_returned_as_if_the_connection_had_been_closed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), PATIENCE) as client,
    ):
        server, _ = listener.accept()
        server.sendall(b"answer")
        # To linger for no time at all is to reset.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        assert read_to_end(client) == b"answer"
