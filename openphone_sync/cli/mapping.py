"""``mapping show|check``."""

from __future__ import annotations

import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, make_app, read_settings
from openphone_sync.cli.output import print_json, print_text
from openphone_sync.cli.tables import print_line
from openphone_sync.config import DATABASE
from openphone_sync.config.mapping_file import BUILT_IN, MappingFaultsError, load_mapping, read_mapping_text
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.rules.mapping import find_missing_columns
from openphone_sync.wiring import open_source

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A mapping file (TOML).")]

app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def mapping() -> None:
    """Show or check what rows of the client table become.

    Example: openphone-sync mapping show > mapping.toml
    """


@app.command("show", cls=Command)
def mapping_show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Print the mapping in force: a file to start your own from.

    It is the file that OPENPHONE_MAPPING names, or the built-in one.

    Example: openphone-sync mapping show > mapping.toml
    """
    path = read_settings(context).mapping_file
    text = read_mapping_text(path or BUILT_IN)
    if not as_json:
        print_text(text)
        return
    print_json(
        {"schemaVersion": SCHEMA_VERSION, "file": str(path) if path else None, "mapping": tomllib.loads(text)},
    )


@app.command("check", cls=Command)
def mapping_check(
    context: typer.Context,
    file: FileArgument,
    database: Annotated[
        bool, typer.Option("--database", help="Check its columns against the client table, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a mapping file: every fault with its line and what to write.

    Exits with 2 if there is a fault. What the mapping would change is shown by `dry-run` with OPENPHONE_MAPPING set.

    Example: openphone-sync mapping check mapping.toml
    """
    faults: list[dict[str, Any]] = []
    try:
        load_mapping(file)
    except MappingFaultsError as error:
        if not as_json:
            raise
        faults = [{"line": fault.line or None, "fault": fault.text} for fault in error.faults]
    missing = _find_missing(context, file) if database and not faults else None
    if as_json:
        document = {"file": str(file.absolute()), "ok": not faults, "faults": faults, "missingColumns": missing}
        print_json({"schemaVersion": SCHEMA_VERSION, **document})
    else:
        print_line(f"{file} is a valid mapping")
        if missing:
            print_line(f"optional columns that the client table lacks: {', '.join(missing)}")
    raise typer.Exit(2 if faults else 0)


def _find_missing(context: typer.Context, file: Path) -> list[str]:
    """The optional columns that the client table lacks; `ConfigurationError` names those that must be there."""
    settings = replace(read_settings(context, require=(DATABASE,)), mapping_file=file.absolute())
    with closing(open_source(settings)) as source:
        return [name for name, _ in find_missing_columns(load_mapping(file), source.all_columns(), optional=True)]
