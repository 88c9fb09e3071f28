"""A saved model, pushed to the Hugging Face hub: only where `--push-to-hub` asks for it."""

import os
from pathlib import Path

from reference.errors import InputError, TrainingFailed
from reference.messages import first_line
from reference.process.run_folder import MODEL_FOLDER

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def check_push(name: str) -> None:
    """Refuse, before anything is trained, what could not be pushed afterwards.

    Raises:
        InputError: no name of a repository, no token, or the hub isn't to be asked.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # is public

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise InputError(f"--push-to-hub: {first_line(str(error))}") from None
    for variable in OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise InputError(f"--push-to-hub: {variable} is set; unset it, or leave the option out")
    if get_token() is None:
        raise InputError(
            "--push-to-hub: no token of the hub; log in with `hf auth login`, or set HF_TOKEN"
        )


def push(run_dir: Path, name: str) -> str:
    """Push a run's saved model, and give the address of its page.

    Raises:
        TrainingFailed: the hub refused it, or can't be reached; the model lies in the run's folder.
    """
    from huggingface_hub import HfApi

    folder = run_dir / MODEL_FOLDER
    try:
        api = HfApi()
        repository = api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=repository.repo_id, folder_path=folder)
    except Exception as error:  # a dozen kinds, of three libraries
        raise TrainingFailed(
            f"--push-to-hub {name}: {type(error).__name__}: {first_line(str(error))}; the model "
            f"lies in {folder}, from where `hf upload {name} {folder}` pushes it"
        ) from error
    return str(repository)
