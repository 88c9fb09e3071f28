"""Two hosts on this machine: network namespaces, and a cable between them.

Each has a loopback device of its own, and knows the other one by its address alone. They share the
disk. Nothing of them is left when they are closed: a namespace ends with its last process.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ADDRESSES = ("10.77.0.1", "10.77.0.2")
CABLE = "cable"


@dataclass(frozen=True)
class Host:
    """One of the two.

    Attributes:
        address: By which the other one knows it.
        enter: What a command begins with, to run there.
    """

    address: str
    enter: Sequence[str]

    def start(self, command: Sequence[str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
        """Run a command there, in a session of its own, its output in the new file `log`."""
        with open(log, "wb") as output:
            return subprocess.Popen(
                [*self.enter, *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: str) -> None:
        """Run a command there to its end; skips the test where it isn't allowed."""
        done = subprocess.run(
            [*self.enter, *command.split()], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no network namespaces here: {command}: {done.stderr.strip()}")


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Both, joined; skips the test, with the reason, where this machine doesn't allow them."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    holders: list[subprocess.Popen[str]] = []
    try:
        first = _hold(holders, ["unshare", *as_root, "--net"])
        user = ["--user", "--preserve-credentials"] if as_root else []
        within = ["nsenter", "--target", first, *user]
        second = _hold(holders, [*within, "unshare", "--net"] if as_root else ["unshare", "--net"])
        hosts = tuple(
            Host(address, ["nsenter", "--target", pid, *user, "--net"])
            for address, pid in zip(ADDRESSES, (first, second), strict=True)
        )
        hosts[0].run(f"ip link add {CABLE} type veth peer name {CABLE} netns {second}")
        for host in hosts:
            host.run(f"ip address add {host.address}/24 dev {CABLE}")
            host.run(f"ip link set {CABLE} up")
            host.run("ip link set lo up")
        yield hosts[0], hosts[1]
    finally:
        for holder in holders:
            holder.communicate("")  # its input ends, and so it does


def _hold(holders: "list[subprocess.Popen[str]]", unshare: Sequence[str]) -> str:
    """Start a process that holds new namespaces; its number."""
    try:
        holder = subprocess.Popen(
            [*unshare, "sh", "-c", "echo $$; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except FileNotFoundError as error:
        pytest.skip(f"no network namespaces here: {error.filename} isn't installed")
    assert holder.stdout is not None
    number = holder.stdout.readline().strip()
    if not number:
        _, said = holder.communicate()
        pytest.skip(f"no network namespaces here: {said.strip()}")
    holders.append(holder)
    return number
