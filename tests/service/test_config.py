"""What `serve deploy` is given, and what the service is started with."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from ray.serve.schema import ServeDeploySchema

import serve
from gtcoder.errors import ConfigError
from serve.app import build
from serve.http.keys import Keys, read_keys
from serve.settings import Settings, models_of, named

CONFIG = yaml.safe_load((Path(serve.__file__).parent / "config.yaml").read_text())


def keys_of(plain):
    """Every path of names in nested plain values."""
    if isinstance(plain, dict):
        return {(name, *rest) for name, value in plain.items() for rest in keys_of(value) or {()}}
    if isinstance(plain, list):
        return set().union(*map(keys_of, plain))
    return set()


def test_the_configuration_fits_serves_schema_whole():
    """Serve's schema ignores some names that it does not know, so none may be lost on the way."""
    checked = ServeDeploySchema.model_validate(CONFIG)
    assert keys_of(CONFIG) <= keys_of(checked.model_dump())


def test_the_configuration_fits_the_application():
    (application,) = CONFIG["applications"]
    settings = Settings.model_validate(application["args"])
    app = build(settings)
    (replica,) = application["deployments"]
    assert app._bound_deployment.name == replica["name"]
    assert models_of(replica["user_config"]) == {
        "claims": "s3://models/claims",
        "flights": "s3://models/flights",
    }


def test_what_kubernetes_deploys_fits_the_application():
    path = Path(serve.__file__).parent / "rayservice.yaml"
    config = yaml.safe_load(yaml.safe_load(path.read_text())["spec"]["serveConfigV2"])
    ServeDeploySchema.model_validate(config)
    settings = Settings.model_validate(config["applications"][0]["args"])
    assert settings.models == {"claims": "s3://BUCKET/models/claims"}
    assert settings.require_keys
    assert settings.min_replicas < settings.max_replicas


LISTEN = {"host": "127.0.0.1", "port": 8000}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rowz": 1},
        {"limits": {"rows": 0}},
        {"models": {"a/b": "x"}},
        {"min_replicas": 2},
        {"max_replicas": 2, "listen": LISTEN},
    ],
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_models_are_called_as_their_folders():
    assert named(["s3://models/claims/", "x"], ["other=models/claims"]) == {
        "claims": "s3://models/claims/",
        "x": "x",
        "other": "models/claims",
    }


@pytest.mark.parametrize(
    ("bundles", "names", "message"),
    [
        (["a/x", "b/x"], [], "two models are called 'x'"),
        (["a/x y"], [], "call it otherwise with --name NAME=a/x y"),
        ([], ["a"], "expected NAME=BUNDLE"),
        ([], ["../a=b"], "cannot be called '../a'"),
    ],
)
def test_names_that_cannot_be(bundles, names, message):
    with pytest.raises(ValueError, match=message):
        named(bundles, names)


KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def keys_path(tmp_path, monkeypatch):
    monkeypatch.delenv("GTCODER_API_KEYS", raising=False)
    return tmp_path / "keys"


def test_keys_open_and_others_do_not(keys_path):
    keys_path.write_text(f"{KEY}\nacme {OTHER}\n")
    keys = Keys(str(keys_path))
    owner = keys.owner(f"Bearer {KEY}")
    assert owner
    assert KEY not in owner
    assert keys.owner(f"bearer  {OTHER} ") == "acme"
    for header in (None, "", KEY, f"Basic {KEY}", f"Bearer {KEY[:-1]}", "Bearer", "Bearer é"):
        assert keys.owner(header) is None
    assert Keys(None).owner(None) == "everyone"


def test_keys_come_and_go_while_they_are_watched(keys_path, wait_until, caplog):
    keys_path.write_text(KEY)
    keys = Keys(str(keys_path))
    keys.watch(0.0)
    keys_path.write_text(OTHER)
    wait_until(lambda: keys.owner(f"Bearer {OTHER}") and not keys.owner(f"Bearer {KEY}"), 5)
    keys_path.write_text("")
    wait_until(lambda: "holds no key" in caplog.text, 5)
    assert keys.owner(f"Bearer {OTHER}")
    assert len(caplog.records) == 1


def test_keys_come_from_a_file_or_the_environment(keys_path, monkeypatch):
    keys_path.write_text(f"# ours\nacme  {KEY}\n\n {OTHER} \n")
    found = read_keys(str(keys_path))
    assert list(found) == [KEY, OTHER]
    assert found[KEY] == "acme"
    monkeypatch.setenv("GTCODER_API_KEYS", f"{OTHER},acme {KEY}")
    assert read_keys(None) == {OTHER: found[OTHER], KEY: "acme"}
    monkeypatch.delenv("GTCODER_API_KEYS")
    assert read_keys(None) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no key"),
        ("short", "at least 16"),
        (f"a/b {KEY}", "expected KEY or NAME KEY"),
    ],
)
def test_files_of_keys_that_will_not_do(tmp_path, text, message):
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_keys(str(path))
    with pytest.raises(ConfigError, match="no such file"):
        read_keys(str(tmp_path / "nowhere"))
