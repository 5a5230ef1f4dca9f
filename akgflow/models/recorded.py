"""The provider that replays a recording: no network, no key, the same replies every time."""

from __future__ import annotations

from pathlib import Path

from akgflow.config.types import ModelSpec
from akgflow.models.base import Failure, ModelReply, ModelRequest, ProviderError
from akgflow.models.recording import Recording, read_recording


class RecordedProvider:
    """Answers ``recorded/NAME`` from ``FOLDER/TASK.NAME.yaml``, strictly by the call's key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, Recording] = {}

    def file(self, task: str, model: str) -> Path:
        """The file of the recording of ``task`` that the model id ``model`` replays."""
        name = model.partition("/")[2]
        if not name or "/" in name or name.startswith("."):
            raise ProviderError(Failure.REQUEST, f"{model} is not the name of a recording: write recorded/NAME")
        return self._folder / f"{task}.{name}.yaml"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The recorded reply, with a note where the prompt has changed since."""
        key = request.key
        path = self.file(key.task, request.model.model)
        recorded = self._recording(path, request).find(key)
        if recorded is None:
            raise _missing(request, f"{path} holds no reply for {_call(request)}")
        notes: tuple[str, ...] = ()
        if recorded.fingerprint != request.fingerprint:
            notes = (f"the prompt has changed since the recording ({_call(request)})",)
        return ModelReply(
            text=recorded.text,
            usage=recorded.usage,
            answered_by=recorded.model,
            origin="recorded",
            finish_reason=recorded.finish_reason,
            notes=notes,
        )

    def _recording(self, path: Path, request: ModelRequest) -> Recording:
        if path not in self._read:
            if not path.is_file():
                raise _missing(request, f"there is no recording {path} to answer {_call(request)}")
            self._read[path] = read_recording(path)
        return self._read[path]


def _call(request: ModelRequest) -> str:
    key = request.key
    again = ", asked again" if key.resend else ""
    return f"job {key.job}, step {key.step}, agent {key.agent}, attempt {key.attempt}, sample {key.sample}{again}"


def _missing(request: ModelRequest, what: str) -> ProviderError:
    return ProviderError(Failure.NO_RECORDING, f"{what}: {_instead(request.model.name)}")


def _instead(name: str) -> str:
    return (
        "set a real model with the environment variable AKGFLOW_MODEL=PROVIDER/MODEL, with "
        f"--set models.{name}.model=PROVIDER/MODEL, or under models.{name} in agents.yaml"
    )


def lacks_recording(spec: ModelSpec, task: str, folder: Path) -> str:
    """Why ``recorded/NAME`` cannot answer anything of a task whose recordings are in ``folder``; empty where it can."""
    path = RecordedProvider(folder).file(task, spec.model)
    return "" if path.exists() else f"there is no recording {path}: {_instead(spec.name)}"
