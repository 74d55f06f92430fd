"""A bundle is whole, untouched and of a known format, or it is an error that says which file."""

import dataclasses
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.config import Config
from gtcoder.errors import BundleError, OutputError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.revisions import FILES, FORMAT_VERSION, INDEX, of_all
from gtcoder.sampling.sample import Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import list_files


@pytest.fixture(scope="module")
def bundle():
    rng = np.random.default_rng(0)
    table = pa.table({"x": rng.normal(size=300), "c": rng.choice(["ä", "b", "c"], 300)})
    sketch = TableSketch.of(table)
    codec = Codec.fit(Schema.infer(table.schema, sketch), sketch)
    config = Config.for_table(codec.layout, 300)
    torch.manual_seed(0)
    model = GTCoder(codec.layout, config.model)
    count = 3  # not as many as configured: the paper's prior has one for each category
    model.mixture.resize(
        torch.full((count,), 1 / count),
        torch.randn(count, config.model.latent),
        torch.eye(config.model.latent).repeat(count, 1, 1),
    )
    return Bundle.of(
        model,
        codec,
        config,
        explanation={"contributions": {"x": 0.5, "c": 0.5}},
        history=[{"epoch": 1.0, "validation": 2.5}],
        info={"rows": 300},
    )


def test_round_trip(bundle, tmp_path):
    bundle.save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b")
    revision = bundle.checksum[:16]
    assert set(list_files(tmp_path / "b")) == {INDEX, *(f"{revision}/{f}" for f in (INDEX, *FILES))}
    assert loaded.checksum == bundle.checksum
    assert loaded.schema == bundle.schema
    assert loaded.codec.to_dict() == bundle.codec.to_dict()
    assert loaded.config == bundle.config
    assert (loaded.explanation, loaded.history, loaded.info) == (
        bundle.explanation,
        bundle.history,
        bundle.info,
    )
    for name, value in bundle.model_state.items():
        assert torch.equal(loaded.model_state[name], value)


def test_a_loaded_bundle_samples_the_same_rows(bundle, tmp_path):
    bundle.save(f"file://{tmp_path}/b")
    loaded = Bundle.load(f"file://{tmp_path}/b")
    one, other = (Sampler(b.model(), b.codec).rows(7, 10, 50) for b in (bundle, loaded))
    assert one == other


def test_saving_again_gives_the_same_bytes_but_for_the_info(bundle, tmp_path):
    bundle.save(tmp_path / "1")
    Bundle.load(tmp_path / "1").save(tmp_path / "2")
    one, other = (tmp_path / name / bundle.checksum[:16] for name in "12")
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_nothing_is_overwritten_unless_asked(bundle, tmp_path):
    (tmp_path / "b").mkdir()
    bundle.save(tmp_path / "b")
    with pytest.raises(
        OutputError, match=r"b exists; choose another place, or add `overwrite=True`$"
    ):
        bundle.save(tmp_path / "b")
    bundle.save(tmp_path / "b", overwrite=True)
    assert Bundle.load(tmp_path / "b").checksum == bundle.checksum
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_foreign_folder_is_never_replaced(bundle, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match="exists and is not a bundle"):
        bundle.save(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def altered(folder, what):
    index = json.loads((folder / INDEX).read_text())
    revision = folder / index["checksum"][:16]
    if what == "one byte":
        content = bytearray((revision / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (revision / "model.safetensors").write_bytes(content)
    if what == "a file less":
        (revision / "codec.json").unlink()
    if what == "no revision":
        shutil.rmtree(revision)
    if what == "no index":
        (folder / INDEX).unlink()
    if what == "format":
        index["format_version"] = FORMAT_VERSION + 1
        (folder / INDEX).write_text(json.dumps(index))
    if what == "other checksum":
        index = json.loads((revision / INDEX).read_text())
        index["files"]["codec.json"] = "0" * 64
        (revision / INDEX).write_text(json.dumps(index))
    if what == "another's":
        index = json.loads((revision / INDEX).read_text())
        index["files"]["codec.json"] = "0" * 64
        index["checksum"] = of_all(index["files"])
        (revision / INDEX).write_text(json.dumps(index))
    if what == "no JSON":
        (folder / INDEX).write_text("{")
    if what == "other JSON":
        (folder / INDEX).write_text("[1]")
    if what == "no folder":
        return folder / "nowhere"
    return folder


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("one byte", r"b/[0-9a-f]{16}/model\.safetensors has been altered or damaged"),
        ("a file less", r"the bundle is incomplete: .*codec\.json: no such file or folder"),
        ("no revision", r"^no bundle: .*b/[0-9a-f]{16}: no such file, folder or bucket$"),
        ("no index", r"b is not a bundle: it has no bundle\.json; name a folder"),
        (
            "format",
            r"b has bundle format 8, written by gtcoder .*; install that gtcoder",
        ),
        ("other checksum", r"b/[0-9a-f]{16}/bundle\.json has been altered"),
        ("another's", r"b holds another bundle than the one asked for"),
        ("no JSON", r"b/bundle\.json is damaged or not of a bundle; copy the bundle again$"),
        ("other JSON", r"b/bundle\.json is damaged or not of a bundle; copy the bundle again$"),
        ("no folder", r"^no bundle: .*nowhere: no such file, folder or bucket$"),
    ],
)
def test_an_altered_or_foreign_bundle_is_one_clear_line(bundle, tmp_path, what, message):
    bundle.save(tmp_path / "b")
    with pytest.raises(BundleError, match=message) as caught:
        Bundle.load(altered(tmp_path / "b", what))
    assert "\n" not in str(caught.value)


def test_a_bundle_that_another_version_wrote_says_so(bundle, tmp_path):
    bundle.save(tmp_path / "b")
    plain = bundle.config.to_dict()
    plain["model"]["depth"] = 3
    changed = type("Config", (), {"to_dict": lambda self: plain})()
    fields = {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}
    Bundle(**{**fields, "config": changed, "checksum": ""}).save(tmp_path / "b", overwrite=True)
    with pytest.raises(BundleError, match=r"was written by gtcoder .* unknown or missing depth"):
        Bundle.load(tmp_path / "b")


@pytest.mark.parametrize("version", [0, 2, FORMAT_VERSION + 1, 17, "2.1"])
def test_a_bundle_of_another_format_says_so_whatever_else_it_holds(tmp_path, version):
    index = {"format_version": version, "library_version": "9.9", "parts": {"model": "abc"}}
    (tmp_path / "bundle.json").write_text(json.dumps(index))
    newer = isinstance(version, int) and version > FORMAT_VERSION
    cure = "install that gtcoder or a later one" if newer else "train it again"
    with pytest.raises(BundleError, match=f"format {version!r}, written by gtcoder 9.9, .*{cure}"):
        Bundle.load(tmp_path)


def test_a_network_of_another_shape_is_one_line(bundle):
    state = dict(bundle.model_state) | {"decoder.bias": torch.zeros(3)}
    with pytest.raises(BundleError, match=r"has another shape .*; use the gtcoder that wrote"):
        dataclasses.replace(bundle, model_state=state).model()
