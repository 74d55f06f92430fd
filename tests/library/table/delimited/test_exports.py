"""Files as the programs write them that people have."""

import datetime as dt

import pyarrow as pa
import pytest

from gtcoder.table.locate import locate

inf = float("inf")

EXPORTS = {
    "SAP": (
        "MATNR\tWERT\tDATUM\n000123\t1.234,56\t31.12.2024\n000124\t123,00-\t00.00.0000\n",
        {
            "MATNR": ["000123", "000124"],
            "WERT": [1234.56, -123.0],
            "DATUM": [dt.date(2024, 12, 31), None],
        },
    ),
    "Excel in German": (
        "sep=;\r\nName;Betrag;Quote;Zeit\r\nä;1.234,50;0,125;31.12.2024 23:59\r\n"
        "b;12,00;0,5;01.01.2024 00:00\r\n",
        {
            "Name": ["ä", "b"],
            "Betrag": [1234.5, 12.0],
            "Quote": [0.125, 0.5],
            "Zeit": [dt.datetime(2024, 12, 31, 23, 59), dt.datetime(2024, 1, 1)],
        },
    ),
    "Excel in English": (
        'name,amount,when\na,"1,234.50",1/31/2024 1:05 PM\nb,5.00,12/1/2024 12:00 AM\n',
        {
            "name": ["a", "b"],
            "amount": [1234.5, 5.0],
            "when": [dt.datetime(2024, 1, 31, 13, 5), dt.datetime(2024, 12, 1)],
        },
    ),
    "Snowflake": (
        'A,B,C\n\\N,"",1\n"x","y",\\N\n"z","",3\n',
        {"A": [None, "x", "z"], "B": ["", "y", ""], "C": [1, None, 3]},
    ),
    "Hive": (
        "a\x01b\x01c\n1\x01x\x01\\N\n2\x01__HIVE_DEFAULT_PARTITION__\x012.5\n",
        {"a": [1, 2], "b": ["x", None], "c": [None, 2.5]},
    ),
    "Oracle": (
        "ID,D\n1,01-JAN-24\n2,15-DEC-62\n3,\n",
        {"ID": [1, 2, 3], "D": [dt.date(2024, 1, 1), dt.date(1962, 12, 15), None]},
    ),
    "R, write.csv": (
        '"","x","name"\n"1",1.5,"a"\n"2",NA,NA\n"3",2,"NA"\n',
        {"column_1": [1, 2, 3], "x": [1.5, None, 2.0], "name": ["a", None, "NA"]},
    ),
    "R, write.table": (
        '"x"\t"name"\n"1"\t1.5\t"a"\n"2"\tNA\tNA\n',
        {"column_1": [1, 2], "x": [1.5, None], "name": ["a", None]},
    ),
    "sensor": (
        "# device 7\n# restart\nt;v\n2024-01-01T00:00:00;inf\n2024-01-01T00:00:01;-9999\n",
        {"t": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 0, 1)], "v": [inf, -9999.0]},
    ),
    "PostgreSQL": (
        'id,ok,at,s\n1,t,2024-01-01 10:00:00.5+00,""\n2,f,2024-01-01 10:00:00+00,\n',
        {
            "id": [1, 2],
            "ok": ["t", "f"],
            "at": [
                dt.datetime(2024, 1, 1, 10, 0, 0, 500_000, dt.UTC),
                dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC),
            ],
            "s": ["", None],
        },
    ),
    "MySQL": (
        '"id","d","s"\n"1","0000-00-00","it\\"s, so"\n"2","2024-01-02",\\N\n',
        {"id": [1, 2], "d": [None, dt.date(2024, 1, 2)], "s": ['it"s, so', None]},
    ),
    "Spark": (
        'a,b\n"say \\"hi\\", you",1\nx,2\n',
        {"a": ['say "hi", you', "x"], "b": [1, 2]},
    ),
    "single quotes": (
        "a,b\n'x, y',1\n'z, w',2\n",
        {"a": ["x, y", "z, w"], "b": [1, 2]},
    ),
    "a separator at each end": (
        "a;b;\n1;2;\n3;4;\n",
        {"a": [1, 3], "b": [2, 4], "column_3": [None, None]},
    ),
    "a separator at the rows' ends": (
        "a;b\n1;2;\n3;4;\n",
        {"a": [1, 3], "b": [2, 4], "column_3": [None, None]},
    ),
    "a table between bars": (
        "|a|b|\n|1|x|\n|2|y|\n",
        {"column_1": [None, None], "a": [1, 2], "b": ["x", "y"], "column_4": [None, None]},
    ),
    "a log in German": (
        "zeit;wert\n2024-01-01 10:00:00,123;1,5E+03\n2024-01-01 10:00:01,5;2\n",
        {
            "zeit": [
                dt.datetime(2024, 1, 1, 10, 0, 0, 123_000),
                dt.datetime(2024, 1, 1, 10, 0, 1, 500_000),
            ],
            "wert": [1500.0, 2.0],
        },
    ),
    "JSON in a field": (
        'id,j\n1,"{""a"": ""x, y""}"\n2,5" pipe\n3,"C:\\dir\\"\n',
        {"id": [1, 2, 3], "j": ['{"a": "x, y"}', '5" pipe', "C:\\dir\\"]},
    ),
    "old Macintosh": ("a,b\r1,x\r2,y\r", {"a": [1, 2], "b": ["x", "y"]}),
    "Switzerland": ("a;b\nx;1'234.50\ny;999.00\n", {"a": ["x", "y"], "b": [1234.5, 999.0]}),
}


@pytest.mark.parametrize("who", EXPORTS)
def test_exports(tmp_path, who):
    text, values = EXPORTS[who]
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert pa.concat_tables(locate(tmp_path / "t.csv").batches()).to_pydict() == values


def test_hive_files_without_an_ending(tmp_path):
    (tmp_path / "day=2024-01-01").mkdir()
    (tmp_path / "day=2024-01-01" / "000000_0").write_text("a\x01b\n1\x01\\N\n")
    with pytest.raises(ValueError, match=r"`csv=.*sep="):
        locate(tmp_path)
    rows = pa.concat_tables(locate(tmp_path, csv="sep=ctrl-a").batches())
    assert rows.to_pydict() == {"a": [1], "b": [None], "day": [dt.date(2024, 1, 1)]}


def test_a_folder_that_spark_wrote(tmp_path):
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.csv.crc").write_bytes(b"crc\0")
    for at, text in enumerate(["id,v\n1,2\n", "", "id,v\n2,3.5\n"]):
        (tmp_path / f"part-0000{at}-abc.csv").write_text(text)
    rows = pa.concat_tables(locate(tmp_path).batches())
    assert rows.to_pydict() == {"id": [1, 2], "v": [2.0, 3.5]}
