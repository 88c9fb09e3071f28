"""Where the processes of a launch meet: as torchrun says it, whoever launched them.

    mpirun -n 2 python -m reference train accelerated

torchrun and `launch` tell each process its place and an address. mpirun and srun say the place in
words of their own, and no address.
"""

import os
import socket
import zlib
from contextlib import suppress

from reference.errors import InputError
from reference.observe.script.launcher import Launch, name_of_launch

LOCALHOST = "127.0.0.1"
# Ports that the kernel gives to nobody by itself.
PORTS = range(10_000, 30_000)
# By which gloo is told which network to take.
INTERFACE = "GLOO_SOCKET_IFNAME"


def take_place(launch: Launch) -> None:
    """Say this process's place in torchrun's variables, which torch and Accelerate read.

    Args:
        launch: which process this one is.

    Raises:
        InputError: the processes are on several hosts, and nobody says where to meet.
    """
    if launch.world_size == 1 or os.environ.get("RANK"):
        return
    if launch.hosts and not (os.environ.get("MASTER_ADDR") and os.environ.get("MASTER_PORT")):
        raise InputError(
            "MASTER_ADDR, MASTER_PORT: missing; give the address of rank 0's host and a free port "
            "there (mpirun -x MASTER_ADDR=... -x MASTER_PORT=..., or export both before srun)"
        )
    os.environ.setdefault("MASTER_ADDR", LOCALHOST)
    os.environ.setdefault("MASTER_PORT", str(_port()))
    os.environ["RANK"] = str(launch.rank)
    os.environ["WORLD_SIZE"] = str(launch.world_size)
    os.environ["LOCAL_RANK"] = str(launch.local_rank or 0)
    os.environ["LOCAL_WORLD_SIZE"] = str(launch.local_world_size)


def take_network(launch: Launch) -> None:
    """Let gloo speak on the network by which this host reaches rank 0's.

    By itself it takes that of the host's own name, which may be the loopback device: others then
    look for this process in themselves.
    """
    if launch.hosts and not os.environ.get(INTERFACE):
        name = interface_to(os.environ["MASTER_ADDR"])
        if name is not None:
            os.environ[INTERFACE] = name


def _port() -> int:
    """One that all processes of a launch on one host come to: by what they have in common."""
    words = " ".join(name_of_launch() or [str(os.getppid())])
    return PORTS[zlib.crc32(words.encode()) % len(PORTS)]


def interface_to(address: str) -> str | None:
    """The network device by which an address is reached; None where nobody knows."""
    import psutil

    with suppress(OSError):
        family, kind, protocol, _, where = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as asked:
            asked.connect(where)  # of datagrams: nothing is sent
            own = asked.getsockname()[0]
        for name, addresses in psutil.net_if_addrs().items():
            if any(each.address.partition("%")[0] == own for each in addresses):
                return str(name)
    return None
