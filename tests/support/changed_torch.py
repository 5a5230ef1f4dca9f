"""Another torch for child processes: the one that is installed, but for a version and the files that are changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path


def changed_torch(folder: Path, version: str, files: Mapping[str, tuple[str, str]]) -> Path:
    """A folder for PYTHONPATH whose torch says that it is ``version``; ``files`` are changed: path, old and new text.

    All else is linked to, so that making it takes no room and no time.
    """
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    real, torch = Path(spec.origin).parent, folder / "torch"
    installed = distribution("torch").version
    changes = {"version.py": (installed, version), **files}
    for path in changes:
        for place in reversed(Path(path).parents):
            _linked(real / place, torch / place)
    for path, (old, new) in changes.items():
        text = (real / path).read_text()
        assert old in text, f"torch's {path} does not say {old!r}"
        (torch / path).unlink()
        (torch / path).write_text(text.replace(old, new))
    told = folder / f"torch-{version}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    return folder


def _linked(real: Path, place: Path) -> None:
    """``place`` as a folder of links to what is in ``real``; what was compiled is copied, so that it can change."""
    if place.is_dir() and not place.is_symlink():
        return
    place.unlink(missing_ok=True)
    place.mkdir(parents=True)
    for one in real.iterdir():
        if one.name == "__pycache__":
            shutil.copytree(one, place / one.name)
        else:
            (place / one.name).symlink_to(one)
