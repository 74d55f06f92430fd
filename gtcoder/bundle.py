"""A trained generator as a folder of JSON and safetensors: no pickle, no training row.

A bundle that can be opened is complete and untouched: it takes its place whole (on an object store
`bundle.json` is written last), and every file is checked against its checksum.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from gtcoder import __version__
from gtcoder.codec.codec import Codec
from gtcoder.config import Config
from gtcoder.errors import BundleError, GTCoderError, OutputError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.schema.schema import Schema
from gtcoder.table.files import (
    Uri,
    absolute,
    beside,
    exists,
    explained,
    is_local,
    join,
    list_files,
    read_bytes,
    remove,
    sync_folder,
    write_bytes,
)

FORMAT_VERSION = 1
INDEX = "bundle.json"
FILES = (
    "schema.json",
    "codec.json",
    "config.json",
    "model.safetensors",
    "latent.safetensors",
    "explanation.json",
    "history.json",
)
_LATENT = "mixture."


@dataclass(frozen=True)
class Bundle:
    """What training leaves, and all that sampling needs."""

    schema: Schema
    codec: Codec
    config: Config
    model_state: Mapping[str, Tensor]
    """The network's tensors."""
    latent_state: Mapping[str, Tensor]
    """The latent mixture's tensors."""
    explanation: Mapping[str, Any]
    history: list[dict[str, Any]]
    info: Mapping[str, Any]
    """How it was trained: plain JSON values. Not part of the checksum."""
    checksum: str = ""
    """SHA-256 over the checksums of all files but the index; the bundle's identity."""

    def __post_init__(self) -> None:
        if not self.checksum:
            object.__setattr__(self, "checksum", _of_all(_checksums(self._contents())))

    @classmethod
    def of(
        cls,
        model: GTCoder,
        codec: Codec,
        config: Config,
        *,
        explanation: Mapping[str, Any],
        history: list[dict[str, Any]],
        info: Mapping[str, Any],
    ) -> Self:
        """The bundle of a trained model."""
        state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
        return cls(
            schema=codec.schema,
            codec=codec,
            config=config,
            model_state={k: v for k, v in state.items() if not k.startswith(_LATENT)},
            latent_state={
                k.removeprefix(_LATENT): v for k, v in state.items() if k.startswith(_LATENT)
            },
            explanation=explanation,
            history=history,
            info=info,
        )

    def model(self) -> GTCoder:
        """The network with its mixture, ready to draw from.

        Raises:
            BundleError: its tensors do not fit: columns of 256 values and a missing one were once
                drawn in two steps.
        """
        model = GTCoder(self.codec.layout, self.config.model)
        latent = dict(self.latent_state)
        model.mixture.resize(latent["weights"], latent["means"], latent["cholesky"])
        state = dict(self.model_state) | {_LATENT + name: value for name, value in latent.items()}
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise BundleError(
                f"the bundle's network has another shape than gtcoder {__version__} gives it; use "
                "the gtcoder that wrote it, or train it again"
            ) from error
        model.mixture.refresh()
        return model.eval()

    def save(self, uri: Uri, *, overwrite: bool = False) -> None:
        """Write the bundle, whole or not at all.

        Raises:
            OutputError: something is there and `overwrite` is not set, or what is there is no
                bundle, or it cannot be written.
        """
        check_target(uri, overwrite=overwrite)
        contents = self._contents()
        index = {
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "checksum": self.checksum,
            "files": _checksums(contents),
            "info": dict(self.info),
        }
        try:
            if is_local(uri):
                _replace_folder(Path(absolute(uri)), contents | {INDEX: _json(index)})
            else:
                remove(join(uri, INDEX))
                for name, content in contents.items():
                    write_bytes(join(uri, name), content)
                write_bytes(join(uri, INDEX), _json(index))
        except OSError as error:
            raise OutputError(f"the bundle cannot be written: {error}") from error

    @classmethod
    def load(cls, uri: Uri) -> Self:
        """Read a bundle and check every file of it.

        Raises:
            BundleError: there is none, it is of another format, or a file is missing or altered.
        """
        index = _read_index(uri)
        contents = {name: _verified(uri, name, index["files"][name]) for name in FILES}
        try:
            schema = Schema.from_dict(json.loads(contents["schema.json"]))
            return cls(
                schema=schema,
                codec=Codec.from_dict(json.loads(contents["codec.json"]), schema),
                config=Config.from_dict(json.loads(contents["config.json"])),
                model_state=safetensors.torch.load(contents["model.safetensors"]),
                latent_state=safetensors.torch.load(contents["latent.safetensors"]),
                explanation=json.loads(contents["explanation.json"]),
                history=json.loads(contents["history.json"]),
                info=index["info"],
                checksum=index["checksum"],
            )
        except (GTCoderError, SafetensorError, KeyError, ValueError) as error:
            raise BundleError(
                f"{uri} was written by gtcoder {index.get('library_version')} and this is "
                f"{__version__}, which cannot read it ({error}); train it again"
            ) from error

    def _contents(self) -> dict[str, bytes]:
        return {
            "schema.json": _json(self.schema.to_dict()),
            "codec.json": _json(self.codec.to_dict()),
            "config.json": _json(self.config.to_dict()),
            "model.safetensors": _tensors(self.model_state),
            "latent.safetensors": _tensors(self.latent_state),
            "explanation.json": _json(self.explanation),
            "history.json": _json(self.history),
        }


def check_target(uri: Uri, *, overwrite: bool) -> None:
    """See early that a bundle may be written there.

    Raises:
        OutputError: something is there and `overwrite` is not set, or what is there is no bundle.
    """
    try:
        there = exists(uri) and (not is_local(uri) or not _is_empty(Path(absolute(uri))))
        is_bundle = there and exists(join(uri, INDEX))
        if there and not is_bundle and not is_local(uri):
            there = not set(list_files(uri)) <= set(FILES)  # an upload that broke off is nothing
    except OSError as error:
        raise OutputError(str(error)) from error
    if there and not is_bundle:
        raise OutputError(f"{uri} exists and is not a bundle; choose another place for --out")
    if there and not overwrite:
        raise OutputError(f"{uri} exists; choose another place for --out, or add --overwrite")


def _read_index(uri: Uri) -> dict[str, Any]:
    try:
        raw = read_bytes(join(uri, INDEX))
    except FileNotFoundError as error:
        if not exists(uri):
            raise BundleError(f"no bundle: {uri}: no such file, folder or bucket") from error
        raise BundleError(
            f"{uri} is not a bundle: it has no {INDEX}; name a folder that a training wrote"
        ) from error
    except OSError as error:
        raise BundleError(f"no bundle: {error}") from error
    try:
        index = json.loads(raw)
        version = index["format_version"]  # before all else: other formats have other keys
        if version != FORMAT_VERSION:
            raise BundleError(_foreign(uri, version, index.get("library_version")))
        files = index["files"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"{join(uri, INDEX)} is damaged or not of a bundle; copy the bundle again"
        ) from error
    if set(files) != set(FILES) or index.get("checksum") != _of_all(files):
        raise BundleError(
            f"{join(uri, INDEX)} has been altered: its checksum does not match; copy the bundle "
            "again, or train it again"
        )
    checked: dict[str, Any] = index
    return checked


def _foreign(uri: Uri, version: Any, library: Any) -> str:
    """What to say of a bundle of another format: a newer one wants a newer gtcoder."""
    by = f", written by gtcoder {library}," if library else ""
    newer = isinstance(version, int) and version > FORMAT_VERSION
    cure = "install that gtcoder or a later one" if newer else "train it again"
    return (
        f"{uri} has bundle format {version!r}{by} and gtcoder {__version__} reads "
        f"{FORMAT_VERSION} only; {cure}"
    )


def _verified(uri: Uri, name: str, checksum: str) -> bytes:
    try:
        content = read_bytes(join(uri, name))
    except OSError as error:
        raise BundleError(f"the bundle is incomplete: {error}; copy it again") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise BundleError(
            f"{join(uri, name)} has been altered or damaged: its checksum is not the one in "
            f"{INDEX}; copy the bundle again, or train it again"
        )
    return content


def _replace_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder beside its place and move it there; an older one goes only then."""
    draft, old = beside(target), beside(target)
    try:
        for name, content in contents.items():
            write_bytes(draft / name, content)
        with explained(target):
            if target.exists():
                os.rename(target, old)
            os.rename(draft, target)
            sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _checksums(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _of_all(checksums: Mapping[str, str]) -> str:
    lines = [f"{checksum} {name}\n" for name, checksum in sorted(checksums.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _tensors(state: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: value.contiguous() for name, value in state.items()})
