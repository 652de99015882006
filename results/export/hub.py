"""Upload of an export to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from results.export.model_files import CARD
from spaces.errors import UserError

HUB_CARD = "README.md"  # the Hub shows this file as the card


def push_export(folder: Path, repository: str) -> str:
    """Upload an exported student as one commit; return its address.

    The repository USER/NAME is created if it does not exist. The card becomes its README.md. The token is the one of
    `hf auth login` or `$HF_TOKEN`. Raises UserError without the package, a token or access.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError:
        raise UserError("--push: needs the package huggingface_hub: pip install 'distil-search[hub]'") from None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [HUB_CARD if path == folder / CARD else path.relative_to(folder).as_posix() for path in files]
    operations = [CommitOperationAdd(name, path) for name, path in zip(names, files, strict=True)]
    api = HfApi()
    try:
        created = api.create_repo(repository, exist_ok=True)
        commit = api.create_commit(created.repo_id, operations, commit_message="Upload of an exported student")
    except (HFValidationError, HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--push {repository}: {reason[:300]}") from None
    return str(commit.commit_url)
