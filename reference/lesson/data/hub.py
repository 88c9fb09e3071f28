"""Is the hub there? Asked once, before anything slow, and never twice.

See for yourself: `python -m reference env`
"""

import http.client
import os
import threading
import urllib.error
import urllib.request

from reference.errors import InputError

HUB_TIMEOUT = 1.5  # seconds; `datasets` itself would retry for 23 (measured)


def check_hub() -> None:
    """Raise InputError, in under two seconds, if the hub can't be reached."""
    if offline_by() is not None:
        return  # the user says so: `datasets` then looks in its cache at once
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    failures: list[object] = [f"no answer in {HUB_TIMEOUT} s"]
    # A thread, since urllib's own timeout counts for each address anew, and not for looking it up.
    asking = threading.Thread(target=_ask, args=(host, failures), daemon=True)
    asking.start()
    asking.join(HUB_TIMEOUT)
    if failures:
        raise InputError(unreachable(failures[-1]))


def _ask(host: str, failures: list[object]) -> None:
    """Take away what stands in `failures` if the host answers, else add the reason."""
    try:
        request = urllib.request.Request(host, method="HEAD")
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT).close()
    except urllib.error.HTTPError:
        failures.clear()  # it answered
    except (OSError, ValueError, http.client.HTTPException) as error:
        failures.append(error)
    else:
        failures.clear()


def unreachable(error: object) -> str:
    """The line that says so, and what to use instead."""
    reason = " ".join(str(error).split())
    return (
        f"the hub can't be reached ({reason}): use the recipe 'embedded' (--recipe embedded), "
        "which needs no network, or GLUE's files in a folder (--data FOLDER, --checkpoint minilm)"
    )


def offline_by() -> str | None:
    """The variable by which the user says that the hub isn't to be asked; None without one."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        if os.environ.get(name, "").lower() in ("1", "true", "yes", "on"):
            return name
    return None
