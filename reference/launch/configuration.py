"""A configuration as `accelerate config` writes it: how many processes, where, and on what.

    python -m reference launch --list

Those in `configurations/` go by their names; any other by its path.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.launch.fsdp_config import check_fsdp
from reference.messages import brief, nearest
from reference.process.bounded_files import check_name

FOLDER = Path(__file__).with_name("configurations")
# What this launcher goes by, with the types that `accelerate config` gives them.
FIELDS: dict[str, tuple[type, ...]] = {
    "num_processes": (int,),
    "num_machines": (int,),
    "machine_rank": (int,),
    "main_process_ip": (str, type(None)),
    "main_process_port": (int, type(None)),
    "use_cpu": (bool,),
    "mixed_precision": (str,),
}
# Of another way of training than these loops'; each is refused unless it is empty.
OTHER_WAYS = ("deepspeed_config", "megatron_lm_config", "parallelism_config")


@dataclass(frozen=True)
class Configuration:
    """How many processes, where, and on what; the fields are those of Accelerate."""

    num_processes: int = 1  # on all machines together
    num_machines: int = 1
    machine_rank: int = 0  # which machine this is
    main_process_ip: str | None = None  # of machine 0
    main_process_port: int | None = None  # None: a free one
    use_cpu: bool = False
    mixed_precision: str = "no"
    fsdp: bool = False  # whether each process keeps its part of each weight

    def __post_init__(self) -> None:
        if self.num_machines < 1 or self.num_processes < 1:
            raise InputError("num_processes, num_machines: give 1 or more of each")
        if self.num_processes % self.num_machines:
            raise InputError(
                f"num_processes: {self.num_processes} can't be shared evenly by "
                f"{self.num_machines} machines; it counts the processes of all of them"
            )
        if not 0 <= self.machine_rank < self.num_machines:
            raise InputError(
                f"machine_rank: {self.machine_rank} of {self.num_machines} machines; they are "
                f"counted from 0 to {self.num_machines - 1}"
            )
        if self.num_machines > 1 and (not self.main_process_ip or not self.main_process_port):
            raise InputError(
                "main_process_ip, main_process_port: missing; give machine 0's address and a free "
                "port there, by which the machines meet"
            )
        if not 0 <= (self.main_process_port or 0) < 1 << 16:
            raise InputError(f"main_process_port: {self.main_process_port} is no port")

    @property
    def per_machine(self) -> int:
        """How many processes each machine has."""
        return self.num_processes // self.num_machines

    @property
    def ranks(self) -> range:
        """The ranks of this machine's processes."""
        first = self.machine_rank * self.per_machine
        return range(first, first + self.per_machine)


def names() -> list[str]:
    """The configurations that come with this."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def about(name: str) -> str:
    """What one of `names()` says of itself in its first line."""
    return (FOLDER / f"{name}.yaml").read_text().splitlines()[0].removeprefix("# ")


def read_configuration(given: str, **instead: Any) -> Configuration:
    """The configuration of that name, or in that file.

    Args:
        given: one of `names()`, or the path of a YAML file.
        instead: fields with values that go before the file's; None leaves the file's.

    Raises:
        InputError: there is none, or it holds what this launcher can't do; names file and field.
    """
    check_name(given)
    path = FOLDER / f"{given}.yaml" if given in names() else Path(given)
    if not path.suffix:
        raise nearest("configuration", given, names())
    fields = _read(path)
    for name in OTHER_WAYS:
        if fields.get(name):
            raise InputError(
                f"{path}: field {name}: these loops know DDP and FSDP2; take it out, or train your "
                "own script by accelerate launch"
            )
    known = {name: fields[name] for name in FIELDS if name in fields}
    sharded = fields.get("fsdp_config")
    for name, value in known.items():
        if type(value) not in FIELDS[name]:
            raise InputError(f"{path}: field {name}: {brief(value)}; see accelerate config")
    known |= {name: value for name, value in instead.items() if value is not None}
    try:
        if sharded:
            check_fsdp(sharded)
        return Configuration(**known, fsdp=bool(sharded))
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration; launch --list shows those here") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); give another") from None
    except (yaml.YAMLError, ValueError):
        raise InputError(f"{path}: not YAML; write one with accelerate config") from None
    if not isinstance(fields, dict):
        raise InputError(f"{path}: no configuration; write one with accelerate config")
    return fields
