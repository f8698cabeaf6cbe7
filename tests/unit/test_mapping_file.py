"""A mapping file: what is wrong with one is named all at once, each fault with its line and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from openphone_sync.config import load_settings
from openphone_sync.config.mapping_file import (
    BUILT_IN,
    MAX_BYTES,
    MappingFaultsError,
    load_built_in,
    load_mapping,
    make_setting_name,
    parse_mapping,
)
from openphone_sync.errors import ConfigurationError

GOOD = """\
[source]
id = "id"
[client]
name = "{first} {last}"
[related]
name = "{guardian_{n}}"
phones = [{ column = "guardian_{n}_phone", label = "{kind}" }]
[choices.kind]
column = "kind_{n}"
values = { mum = "Mother" }
"""


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse_mapping(text)[1]]


def test_the_built_in_mapping_is_right() -> None:
    mapping, found = parse_mapping(BUILT_IN.read_text(encoding="utf-8"))
    assert found == ()
    assert mapping == load_built_in()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "[source]",
            "[sauce]",
            ["line 1: sauce is not a known key; write source, if that is meant", "[source] is missing"],
        ),
        ('id = "id"', "", ["line 1: source has no id; add it"]),
        ('id = "id"', 'id = "id_{n}"', ["line 2: source.id has id_{n}, which has a meaning in [related] only"]),
        (
            'name = "{first} {last}"',
            "nam = 1",
            ["line 3: client has no name", "line 4: client.nam is not a known key; write name"],
        ),
        ('"{first} {last}"', "3", ["line 4: client.name is not accepted; give a text in quotes"]),
        ('"{first} {last}"', '"{first {last}"', ["line 4: client.name is not accepted; give a text in which every {"]),
        ('"{first} {last}"', '"{kind}"', ["line 4: client.name has kind, which has a meaning in [related] only"]),
        ('"{guardian_{n}}"', '"{guardian}"', []),
        (
            "label =",
            "lable =",
            ["line 7: related.phones[0] has no label", "line 7: related.phones[0].lable is not a known key"],
        ),
        ("[{ column", "{ column", ["line 7: this is not TOML"]),
        ('"guardian_{n}_phone"', '"a_{n}_{n}"', ["line 7: related.phones[0].column is not accepted"]),
        ("{kind}", "{knd}", ["line 8: choices.kind is not used; write {kind} in place of {knd}, if that is meant"]),
        (
            '"Mother"',
            '"{other}" }\n[choices.other]\ncolumn = "x"\nvalues = { mum = "M"',
            ["line 8: choices.kind uses the choice other"],
        ),
        ("values", "valuse", ["line 10: choices.kind.valuse is not a known key; write values"]),
        (
            '{ mum = "Mother" }',
            '"mum"',
            ["line 10: choices.kind.values is not accepted; give values with the text for each"],
        ),
    ],
)
def test_each_fault_is_named_with_its_line_and_what_to_write(old: str, new: str, expected: list[str]) -> None:
    assert faults(GOOD) == []
    assert old in GOOD
    found = faults(GOOD.replace(old, new))
    for text in expected:
        assert any(fault.startswith(text) for fault in found), found
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ('[[client.fields]]\ncolumn = "x"', "line 5: client.fields[0] has no names; add it"),
        ('[[client.fields]]\nnames = "A"', "line 5: client.fields[0] needs either column or text; give one of them"),
        (
            '[[client.fields]]\nnames = "A"\ncolumn = "x"\ntext = "y"',
            "line 5: client.fields[0] needs either column or text",
        ),
        (
            '[[client.fields]]\nnames = "A"\ncolumn = "x"\ntype = "dat"',
            "line 8: client.fields[0].type is not accepted; give one or several of address, boolean, date, multi-select, ",
        ),
        (
            '[[client.fields]]\nnames = ["A", "My Field"]\ncolumn = "x"\n[[client.fields]]\nnames = "my_field"\ncolumn = "y"',
            "line 9: client.fields[1].names has my_field, as client.fields[0] has; give it to one of them",
        ),
        ('source_url = "{id}"', "line 5: client.source_url is not accepted; give a web address"),
        ('phones = "phone"', "line 5: client.phones is not accepted; give a list of tables such as"),
        (
            '[[client.fields]]\nnames = "A"\ncolumn = "x"\nonly = 3',
            "line 8: client.fields[0].only is not accepted; give columns",
        ),
    ],
)
def test_faults_of_a_section_are_named(fields: str, fault: str) -> None:
    [found] = faults(f'[source]\nid = "id"\n[client]\nname = "{{name}}"\n{fields}\n')
    assert found.startswith(fault), found


def test_all_faults_come_at_once_in_the_order_of_lines() -> None:
    text = BUILT_IN.read_text(encoding="utf-8").replace("company", "compny").replace('"date"', '"dat"')
    lines = [fault.line for fault in parse_mapping(text)[1]]
    assert len(lines) == 4
    assert lines == sorted(lines)
    assert all(line > 0 for line in lines)


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "a." * 50_000 + "b = 1", "x = " + "[" * 50_000, "x = 1e400", "\x00", "=", "[a", "a = 1\na = 2"],
)
def test_any_text_has_faults_of_one_line_each(text: str) -> None:
    found = faults(text)
    assert found
    assert all("\n" not in fault for fault in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x = 1\n" * 2_000_000, "larger than 64 KB"),
        ("[source]\nname = 'é'\n".encode("latin1"), "line 2: this is not UTF-8"),
        (b"", "[source] is missing"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_bytes(content)
    with pytest.raises(MappingFaultsError) as caught:
        load_mapping(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(content) < MAX_BYTES or len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere.toml", ".", "/dev/null"])
def test_a_path_that_leads_to_no_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MappingFaultsError, match="no such file"):
        load_mapping(tmp_path / name)


def test_faults_of_the_mapping_stand_beside_those_of_other_settings(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(GOOD.replace("label", "lable"), encoding="utf-8")
    environ = {"OPENPHONE_MAPPING": str(path), "OPENPHONE_TIMEOUT": "soon", "HOME": str(tmp_path)}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, folder=tmp_path)
    assert str(caught.value).startswith("3 settings need fixing")
    assert f"OPENPHONE_MAPPING: {path}, line 7: related.phones[0].lable is not a known key" in str(caught.value)
    assert "OPENPHONE_TIMEOUT" in str(caught.value)


def test_a_relative_path_counts_from_the_env_file_that_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mapping.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "conf" / "env").write_text("OPENPHONE_MAPPING=mapping.toml\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"HOME": str(tmp_path)}, env_file=Path("conf/env"))
    assert settings.mapping_file == tmp_path / "conf" / "mapping.toml"
    environ = {"HOME": str(tmp_path), "OPENPHONE_MAPPING": "conf/mapping.toml"}
    assert load_settings(environ).mapping_file == tmp_path / "conf" / "mapping.toml"


def test_keys_of_custom_fields_are_known_by_the_mapping_in_force(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(GOOD + '[[client.fields]]\nnames = "Date of Last Visit"\ncolumn = "seen"\n', encoding="utf-8")
    env = "OPENPHONE_CF_DATE_OF_LAST_VISIT_KEY=x\nOPENPHONE_CF_COUNTY_KEY=y\n"
    (tmp_path / ".env").write_text(f"OPENPHONE_MAPPING={path}\n{env}", encoding="utf-8")
    settings = load_settings({"HOME": str(tmp_path)}, folder=tmp_path)
    assert settings.custom_field_keys["DATE_OF_LAST_VISIT"] == "x"
    [warning] = settings.warnings
    assert "OPENPHONE_CF_COUNTY_KEY" in warning


def test_names_of_settings_are_made_of_the_first_name_of_a_field() -> None:
    assert make_setting_name("Date of  Birth") == "DATE_OF_BIRTH"
    assert make_setting_name("Código (2)") == "CODIGO_2"
