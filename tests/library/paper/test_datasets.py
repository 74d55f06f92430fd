"""The paper's tables: from a folder, from an archive, and as the paper splits them."""

import hashlib
import io
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import TableError
from gtcoder.paper.datasets import DATASETS, is_sample, load, split
from gtcoder.paper.publisher import ARCHIVES, Archive, fetch, parse

ADULT = replace(ARCHIVES["adult"], rows=3, columns=("age", "workclass", "income"))


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, text in members.items():
            packed.writestr(name.replace("_", "."), text)
    return content.getvalue()


def test_parts_of_a_folder_are_one_table(tmp_path):
    for name, age in (("adult_train", 39), ("adult_test", 25)):
        pq.write_table(pa.table({"age": [age], "income": ["<=50K"]}), tmp_path / f"{name}.parquet")
    table = load("adult", str(tmp_path))
    assert table.to_pydict() == {"age": [39, 25], "income": ["<=50K", "<=50K"]}
    assert is_sample("adult", table)


def test_the_variable_names_the_folder(tmp_path, monkeypatch):
    pq.write_table(pa.table({"rings": [8, 9, 10, 11]}), tmp_path / "abalone.parquet")
    monkeypatch.setenv("GTCODER_DATA", str(tmp_path))
    assert load("abalone")["rings"].to_pylist() == ["young", "adult", "adult", "old"]


def test_identifiers_are_dropped(tmp_path):
    table = pa.table({"url": ["a"], "timedelta": [1], "shares": [3]})
    pq.write_table(table, tmp_path / "news_popularity_sample.parquet")
    assert load("news", str(tmp_path)).column_names == ["shares"]


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(TableError, match=r"sonar.*sonar\.parquet.*`data=`"):
        load("sonar", str(tmp_path))
    with pytest.raises(TableError, match=r"no data set 'iris'; there are: .*adult"):
        load("iris")


def test_archive_of_two_files():
    content = zipped(
        adult_data="39, State-gov, <=50K\n50, ?, >50K\n\n",
        adult_test="|1x3 Cross validator\n25, Private, <=50K.\n",
    )
    assert parse(ADULT, content).to_pydict() == {
        "age": [39, 50, 25],
        "workclass": ["State-gov", None, "Private"],
        "income": ["<=50K", ">50K", "<=50K"],
    }


def test_single_letters_stay_text():
    archive = replace(ARCHIVES["mushroom"], rows=2, columns=("bruises", "class"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("agaricus-lepiota.data", "t,p\nf,e\n")
    assert parse(archive, content.getvalue()).to_pydict() == {
        "bruises": ["t", "f"],
        "class": ["p", "e"],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not found", "not the archive expected"),
        (zipped(adult_data="39, a, b\n"), "not the archive expected"),
        (zipped(adult_data="39, a, b\n", adult_test=""), "expected 3 rows|not the archive"),
    ],
)
def test_another_content_is_refused(content, said):
    with pytest.raises(TableError, match=said):
        parse(ADULT, content)


def test_a_download_is_kept_and_checked(tmp_path):
    source = tmp_path / "source.zip"
    source.write_bytes(zipped(a_data="1,2\n3,4\n"))
    archive = Archive(url=source.as_uri(), members=("a.data",), rows=2, columns=("x", "y"))
    cache = tmp_path / "cache"
    assert fetch(archive, cache)["y"].to_pylist() == [2, 4]
    source.unlink()
    assert fetch(archive, cache)["y"].to_pylist() == [2, 4]
    kept = (cache / "source.zip.sha256").read_text().strip()
    assert kept == hashlib.sha256((cache / "source.zip").read_bytes()).hexdigest()
    (cache / "source.zip").write_bytes(zipped(a_data="1,2\n3,5\n"))
    with pytest.raises(TableError, match=f"expected SHA-256 {kept}"):
        fetch(archive, cache)


def test_no_network_is_one_clear_line(tmp_path):
    archive = Archive(url=(tmp_path / "gone.zip").as_uri(), members=(), rows=0)
    with pytest.raises(TableError, match=r"cannot be downloaded .*`data=` or GTCODER_DATA"):
        fetch(archive, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checksum_is_refused_and_not_kept(tmp_path):
    source = tmp_path / "source.zip"
    source.write_bytes(zipped(a_data="1\n"))
    archive = Archive(url=source.as_uri(), members=("a.data",), rows=1, sha256="0" * 64)
    with pytest.raises(TableError, match="expected SHA-256 0000"):
        fetch(archive, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_split_is_four_to_one_and_follows_the_seed():
    table = pa.table({"x": np.arange(101)})
    train, test = split(table, 0)
    assert (len(train), len(test)) == (80, 21)
    assert sorted(train["x"].to_pylist() + test["x"].to_pylist()) == list(range(101))
    assert split(table, 0)[0].equals(train)
    assert not split(table, 1)[0].equals(train)


def test_every_archive_is_one_of_a_data_set():
    assert {each.archive for each in DATASETS.values()} == set(ARCHIVES)
    assert all(
        DATASETS[name].rows == ARCHIVES[each.archive].rows for name, each in DATASETS.items()
    )
