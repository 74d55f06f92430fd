"""A trained generator as JSON and safetensors: no pickle, no training row.

How its files lie where they are stored is `gtcoder.revisions`': a bundle that can be opened is
complete and untouched.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from gtcoder import __version__, revisions
from gtcoder.codec.codec import Codec
from gtcoder.config import Config
from gtcoder.errors import BundleError, GTCoderError, OutputError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.revisions import checksums_of, of_all, to_json
from gtcoder.rules.rules import Rules
from gtcoder.schema.schema import Schema
from gtcoder.table.files import Uri

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
            object.__setattr__(self, "checksum", of_all(checksums_of(self._contents())))

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
        """Write the bundle, whole or not at all; one that is there can be read until then.

        Raises:
            OutputError: something is there and `overwrite` is not set, or what is there is no
                bundle, or it cannot be written.
        """
        revisions.check_target(uri, overwrite=overwrite)
        try:
            revisions.write(uri, self._contents(), self.info)
        except OSError as error:
            raise OutputError(f"the bundle cannot be written: {error}") from error

    @classmethod
    def load(cls, uri: Uri, checksum: str | None = None) -> Self:
        """Read a bundle and check every file of it.

        Args:
            uri: where it lies.
            checksum: of the one that is meant, also if another has replaced it since.

        Raises:
            BundleError: there is none, it is of another format, or a file is missing or altered.
        """
        stored = revisions.read(uri, checksum)
        index, contents = stored.index, stored.contents
        try:
            schema = Schema.from_dict(json.loads(contents["schema.json"]))
            rules = Rules.from_dict(json.loads(contents["rules.json"]), schema.arrow)
            return cls(
                schema=schema,
                codec=Codec.from_dict(json.loads(contents["codec.json"]), schema, rules),
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
            "schema.json": to_json(self.schema.to_dict()),
            "rules.json": to_json(self.codec.rules.to_dict()),
            "codec.json": to_json(self.codec.to_dict()),
            "config.json": to_json(self.config.to_dict()),
            "model.safetensors": _tensors(self.model_state),
            "latent.safetensors": _tensors(self.latent_state),
            "explanation.json": to_json(self.explanation),
            "history.json": to_json(self.history),
        }


def _tensors(state: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: value.contiguous() for name, value in state.items()})
