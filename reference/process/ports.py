"""A port for processes of this machine to meet at."""

import socket


def free_port() -> int:
    """One that nobody listens on by now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
