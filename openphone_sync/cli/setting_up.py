"""The steps of `init`: OpenPhone, the client table, the settings file, the dry run and the schedule.

On a terminal, what is missing or does not work is asked for, again and again. In a script the same steps raise the error.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import typer

from openphone_sync.cli.options import BOTH, Globals, start_log
from openphone_sync.cli.output import echo, print_error, print_notice
from openphone_sync.cli.running import open_command, print_result
from openphone_sync.cli.schedule import install_schedule, make_schedule_document
from openphone_sync.config import (
    API,
    DATABASE,
    STATE_DIR,
    TABLE,
    Settings,
    env_files,
    explain_absence,
    fill_in_password,
    find_given,
    has_placeholder,
    list_settings,
    load_mapping,
    load_settings,
)
from openphone_sync.config.env_file import make_env_text
from openphone_sync.doctor.api import judge_workspace, match_fields, read_workspace
from openphone_sync.doctor.checks import Check
from openphone_sync.doctor.database import check_database
from openphone_sync.doctor.machine import check_machine
from openphone_sync.doctor.tables import ClientTable, choose_table, find_client_tables
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.ops.crontab import NoCrontabError, find_program, find_zone, next_runs
from openphone_sync.ops.files import save_text
from openphone_sync.postgres.inspecting import RelationInfo, list_relations
from openphone_sync.run.context import SyncOptions
from openphone_sync.run.sync import dry_run
from openphone_sync.views.words import format_phone
from openphone_sync.wiring import open_source

_T = TypeVar("_T")
_OPTIONS = {API: "--api-key-file", DATABASE: "--database-url-file"}
_SCHEDULE_CHECKS = frozenset({"schedule", "schedule setting", "cron daemon"})
_WIDEST, _NO_LIMIT = 100, 1_000_000
"""Columns of a paragraph on a terminal and elsewhere."""
_LISTED = 8
_FAILED = 1
_PROGRAM = "openphone-sync"
_NEXT = (
    ("sync --limit 5", "write the contacts of five clients"),
    ("rollback latest", "undo that, if you do not like it"),
    ("sync", "write everybody"),
    ("status", "last run, next run, open decisions"),
)
_HEAD = "# Settings of openphone-sync; openphone-sync config show explains what is in force.\n"


@dataclass(slots=True)
class Answers:
    """What was answered by options: texts of settings by name, and yes or no; None is asked, or not done in a script."""

    texts: dict[str, str] = field(default_factory=dict)
    overwrite: bool = False
    dry_run: bool | None = None
    schedule: bool | None = None


def find_target(given: Globals) -> Path:
    """The env file to write: ``--env-file``, or the one that every command reads from any folder."""
    return (given.env_file or env_files(os.environ, None, Path())[-1]).absolute()


class SetUp:
    """One set-up, step by step. ``asks``: there is a person on a terminal; ``shows``: results are printed."""

    def __init__(self, given: Globals, target: Path, answers: Answers, *, asks: bool, shows: bool) -> None:
        self._given = given
        self._target = target
        self._answers = answers
        self._asks = asks
        self._shows = shows
        self._is_written = False
        self._has_table = True
        self._checks: list[Check] = []

    def run(self) -> dict[str, Any]:
        """All steps; returns the document of ``--json``."""
        is_new = not self._target.exists()
        self._begin()
        openphone = self._set_up_openphone()
        tables = self._set_up_table()
        names = self._write()
        settings = self._read_back()
        self._check_machine(settings)
        report, code = self._offer_dry_run(settings) if self._has_table else (None, _FAILED)
        can_sync = not code
        schedule, schedule_code = self._offer_schedule(settings) if can_sync else (None, 0)
        code = max(code, schedule_code, 0 if all(check.ok for check in self._checks) else _FAILED)
        self._end(can_sync=can_sync, all_well=not code)
        return {
            "schemaVersion": SCHEMA_VERSION,
            "exitCode": code,
            "envFile": str(self._target),
            "isNew": is_new,
            "settings": names,
            **openphone,
            "tables": [_describe(table, settings.client_table) for table in tables],
            "checks": [
                {"name": check.name, "ok": check.ok, "detail": check.detail, "mend": check.fix}
                for check in self._checks
            ],
            "dryRun": report and {key: report[key] for key in ("status", "exitCode", "clients", "contacts")},
            "schedule": schedule,
        }

    def describe_stop(self) -> str:
        """What is there when the set-up ends in the middle."""
        if self._is_written:
            return f"stopped; the settings are in {self._target}, and openphone-sync test-connection tests them"
        return "stopped; nothing was saved"

    # --- before anything else ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Refuse what cannot end well, before anybody is asked anything."""
        self._explain(
            "openphone-sync is set up in four steps: OpenPhone, the client table, the settings file, and a dry run with the "
            "schedule. OpenPhone and the table are only read. Nothing is saved before step 3. Ctrl-C stops."
        )
        if self._target.is_dir():
            raise ConfigurationError(f"{self._target} is a folder; name a file with --env-file")
        if self._target.exists() and not self._answers.overwrite:
            self._ask_to_overwrite()
        settings = self._read()
        faults = [text for name, text in settings.faults if not (self._asks and name in BOTH)]
        if faults:
            raise ConfigurationError("; ".join(faults))
        for warning in settings.warnings if not self._given.quiet else ():
            self._notice(warning)
        missing = [name for name in BOTH if name not in settings.given]
        if missing and not self._asks:
            options = " and ".join(f"{_OPTIONS[name]} FILE" for name in missing)
            raise ConfigurationError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set, and there is no terminal to ask on; "
                f"set this in the environment, give {options} (- is standard input), or use a terminal (over ssh: ssh -t)"
            )

    def _ask_to_overwrite(self) -> None:
        if not self._asks:
            raise ConfigurationError(
                f"the settings file {self._target} exists; add --overwrite to change it, or name another with --env-file"
            )
        self._show()
        self._show(f"{self._target} exists. Its key, connection string and table would be replaced; other lines stay.")
        if not _confirm("Change it?", default=False):
            raise typer.Abort

    # --- 1. OpenPhone -----------------------------------------------------------------------------------------------

    def _set_up_openphone(self) -> dict[str, Any]:
        """Its part of the document."""
        self._show_step("1. OpenPhone")
        self._explain(
            "The API key lets this program read and write the contacts of your workspace. To make one, open the OpenPhone "
            "(Quo) app as owner or admin and go to Settings, API.",
            3,
        )
        self._take(API)
        workspace = self._try(API, lambda: read_workspace(self._read(API)))
        settings = self._read()
        self._add_checks(judge_workspace(workspace, settings))
        fields = match_fields(workspace.fields, settings)
        numbers = [f"{one.name} {format_phone(one.number, settings.region)}" for one in workspace.numbers]
        self._show(f"numbers: {', '.join(numbers) or 'none'}", 9, 2)
        self._show(f"custom fields found: {', '.join(fields.found) or 'none'}", 9, 2)
        return {
            "numbers": [{"name": one.name, "number": one.number} for one in workspace.numbers],
            "customFields": {"found": fields.found, "missing": fields.missing, "unfit": fields.unfit},
        }

    # --- 2. the client table ----------------------------------------------------------------------------------------

    def _set_up_table(self) -> list[ClientTable]:
        """The tables that could hold the clients; the chosen one is among the answers."""
        self._show_step("2. The client table")
        self._explain(
            "The connection string says where your clients are stored. In the Supabase dashboard press Connect and copy the "
            "string of the session pooler. Leave [YOUR-PASSWORD] in it: the password is asked for next. For any other "
            "Postgres it is postgresql://user:password@host:5432/database.",
            3,
        )
        self._take(DATABASE)
        while True:
            relations = self._try(DATABASE, lambda: list_relations(self._read(DATABASE).database_url))
            settings = self._read()
            tables = find_client_tables(relations, load_mapping(settings.mapping_file))
            named = self._answers.texts.get(TABLE) or os.environ.get(TABLE)
            if not (named or settings.client_query):
                self._choose_table(tables, settings.client_table)
            try:
                with closing(open_source(self._read())):
                    break
            except RunError as error:
                if not self._asks:
                    raise
                self._show_failure(error)
                self._show(f"tables in this database: {_list_names(relations)}", 9, 2)
                if not self._ask_for_another():
                    self._has_table = False
                    break
        checks, _, _ = check_database(self._read())
        self._add_checks(checks)
        return tables

    def _choose_table(self, tables: Sequence[ClientTable], present: str) -> None:
        """Take the one that is meant, or ask; ``present`` is the one so far. Without any, reading fails and says why."""
        chosen = next((table for table in tables if table.name == present), None) or choose_table(tables)
        if len(tables) > 1 and self._asks:
            self._show("Several tables could hold the clients. Number and columns that are read:", 3)
            for number, table in enumerate(tables, start=1):
                self._show(f"{number}  {_describe_columns(table)}", 3, 3)
            numbers = [str(number) for number in range(1, len(tables) + 1)]
            default = str(tables.index(chosen) + 1) if chosen else None
            chosen = tables[int(_choose("Which one holds the clients?", numbers, default)) - 1]
        elif len(tables) > 1 and not chosen:
            names = ", ".join(table.name for table in tables)
            raise ConfigurationError(f"{len(tables)} tables could hold the clients: {names}; name one with --table")
        elif chosen:
            self._show(f"table found: {_describe_columns(chosen)}", 3, 3)
        if chosen:
            self._answers.texts[TABLE] = chosen.name

    def _ask_for_another(self) -> bool:
        """Whether there is another connection string; if not, the settings are written without a usable table."""
        question = "r = another connection string, w = write the settings all the same, q = stop"
        answer = _choose(question, ("r", "w", "q"), "r")
        if answer == "q":
            raise typer.Abort
        if answer == "r":
            self._answers.texts.pop(TABLE, None)
            self._ask(DATABASE)
        return answer == "r"

    # --- 3. the settings file ---------------------------------------------------------------------------------------

    def _write(self) -> list[str]:
        """Write the file; returns the names of the settings that it was given."""
        self._show_step("3. The settings file")
        if self._target == find_target(Globals()):
            self._explain(
                "It holds the answers so far. Commands find it from any folder, and so does the nightly sync.", 3
            )
        else:
            self._explain("It holds the answers so far. Commands outside its folder need it as --env-file.", 3)
        values = find_given(os.environ) | self._answers.texts
        if self._given.state_dir:
            values[STATE_DIR] = str(self._given.state_dir.absolute())
        place = self._target.resolve()  # a link stays, and what it leads to is replaced
        try:
            old = place.read_text(encoding="utf-8-sig") if place.exists() else _HEAD
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            save_text(place, make_env_text(old, values))
        except OSError as error:
            raise ConfigurationError(
                f"the settings file {place} cannot be written ({error.strerror}); name another with --env-file"
            ) from None
        self._is_written = True
        self._show(f"saved in {self._target} (readable only by you)", 3, 3)
        self._show(f"settings written: {', '.join(sorted(values))}", 3, 3)
        self._show_overrides(values)
        return sorted(values)

    def _show_overrides(self, values: Mapping[str, str]) -> None:
        """What rules over the file where the person stands now."""
        in_shell = find_given(os.environ)
        origins = {one.name: one.origin for one in list_settings(_find_outside(), env_file=self._given.env_file)}
        for name, text in values.items():
            if in_shell.get(name, text) != text:
                self._notice(f"this shell has another {name}, which rules over the file; run unset {name}")
            if (other := Path(origins[name]).absolute()) != self._target:
                self._notice(f"in this folder, {other} rules over the file; take {name} out of it")

    def _read_back(self) -> Settings:
        """The settings as the file has them, without this shell's."""
        settings = load_settings(
            _find_outside(),
            env_file=self._target,
            state_dir=self._given.state_dir,
            folder=self._target.parent,
            require=BOTH,
        )
        start_log(settings, self._given)
        return settings

    def _check_machine(self, settings: Settings) -> None:
        """Show what fails on this machine; the schedule's turn comes later."""
        checks = [check for check in check_machine(settings) if check.name not in _SCHEDULE_CHECKS]
        self._add_checks(checks, only_failed=True)

    # --- 4. the dry run and the schedule ----------------------------------------------------------------------------

    def _offer_dry_run(self, settings: Settings) -> tuple[Mapping[str, Any] | None, int]:
        """Its report, and the exit code; None without a dry run."""
        self._show_step("4. A dry run, and the schedule")
        self._explain("A dry run shows what the first sync would do, person by person. It writes nothing.", 3)
        if not self._wants(self._answers.dry_run, "Do a dry run now?", default=True):
            return None, 0
        options = SyncOptions()
        try:
            with open_command(settings, self._given, "dry-run", options, read_only=True) as (context, header):
                report = dry_run(options, context, header, None)
        except RunError as error:
            return None, self._report(error)
        if self._shows:
            print_result(report.document, settings, as_json=False, quiet=False)
        return report.document, report.exit_code

    def _offer_schedule(self, settings: Settings) -> tuple[dict[str, Any] | None, int]:
        """The document of `schedule start` and the exit code; None without a schedule."""
        first = next(iter(next_runs(settings.schedule, datetime.now(find_zone(os.environ)), 1)))
        self._show()
        self._explain(
            "The schedule is a line in your crontab that writes to OpenPhone every night, the first time on "
            f"{first:%A %d %B at %H:%M %Z}. To look around first, answer no; openphone-sync schedule start does it later.",
            3,
        )
        if not self._wants(self._answers.schedule, "Schedule it now?", default=None):
            return None, 0
        try:
            schedule = install_schedule(settings, self._target.parent)
        except RunError as error:
            return None, self._report(error)
        if not schedule.installed:
            self._show(schedule.wanted, 3, 3)
            return make_schedule_document(schedule), NoCrontabError.exit_code
        self._show(f"{'scheduled' if schedule.changed else 'already scheduled'}: {schedule.installed.text}", 3, 3)
        checks = [check for check in check_machine(settings) if check.name in _SCHEDULE_CHECKS]
        self._add_checks(checks, only_failed=True)
        return make_schedule_document(schedule), 0

    def _end(self, *, can_sync: bool, all_well: bool) -> None:
        """What to do next."""
        is_found = shutil.which(_PROGRAM) is not None
        program = _PROGRAM if is_found else shlex.join(find_program(sys.argv[0], sys.executable))
        if self._target != find_target(Globals()):
            program += f" --env-file {shlex.quote(str(self._target))}"
        self._show()
        if not all_well:
            self._show(
                f"The settings are saved. Something does not work yet: see FAIL above, and {program} test-connection.",
                0,
                2,
            )
        if can_sync:
            self._show("Next:" if not all_well else "Done. Next:")
            for command, effect in _NEXT:
                self._show(f"{program} {command:15}   {effect}", 2, 6)

    # --- asking and showing -----------------------------------------------------------------------------------------

    def _take(self, name: str) -> None:
        """Use what options, this shell or other files give; ask for it otherwise, also if the file that is changed has it."""
        if name in self._answers.texts:
            return
        folder = self._target.parent
        settings = list_settings(os.environ, env_file=self._find_old(), folder=folder)
        origin = next(one.origin for one in settings if one.name == name)
        if self._asks and origin in ("default", str(self._target)):
            self._ask(name)
        else:
            place = f"the {origin}" if origin.startswith("environment") else origin
            self._show(f"{name} is taken from {place}.", 3)

    def _try(self, name: str, attempt: Callable[[], _T]) -> _T:
        """What the attempt returns; a person may correct the setting and try again."""
        while True:
            try:
                return attempt()
            except RunError as error:
                if not self._asks:
                    raise
                self._show_failure(error)
                self._ask(name)

    def _ask(self, name: str) -> None:
        """Ask for a secret. Enter keeps the one that is there."""
        label = {API: "API key", DATABASE: "Connection string"}[name]
        is_there = name in self._read().given
        text = _ask_hidden(f"{label} (hidden{'; Enter keeps the present one' if is_there else ''})", optional=is_there)
        if name == DATABASE and has_placeholder(text):
            text = fill_in_password(text, _ask_hidden("Database password (hidden)"))
        if text:
            self._answers.texts[name] = text

    def _wants(self, answer: bool | None, question: str, *, default: bool | None) -> bool:
        """The answer of the options; else a person's, and no in a script."""
        if answer is None and self._asks:
            return _confirm(question, default=default)
        return bool(answer)

    def _find_old(self) -> Path | None:
        return self._target if self._target.is_file() else None

    def _read(self, *require: str) -> Settings:
        """The settings as they stand: the answers, this shell's, those of the file that is changed.

        `ConfigurationError` if one of ``require`` is missing or not accepted.
        """
        settings = load_settings(
            os.environ | self._answers.texts,
            env_file=self._find_old(),
            state_dir=self._given.state_dir,
            folder=self._target.parent,
            lenient=True,
        )
        start_log(settings, self._given)
        for name in require:
            if name not in settings.given or name in dict(settings.faults):
                raise ConfigurationError(explain_absence(settings, name))
        return settings

    def _add_checks(self, checks: Iterable[Check], *, only_failed: bool = False) -> None:
        for check in checks:
            self._checks.append(check)
            if not (check.ok and only_failed):
                self._show(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}", 3, 6)
                if check.fix:
                    self._show(check.fix, 9)

    def _explain(self, text: str, indent: int = 0) -> None:
        """Why something is asked; only if there is somebody to read it."""
        if self._asks:
            self._show(text, indent)

    def _show_failure(self, error: RunError) -> None:
        self._show(f"FAIL  {error.what}", 3, 6)
        self._show(error.fix, 9)

    def _report(self, error: RunError) -> int:
        """Say what failed after the settings were saved, and go on; returns its exit code."""
        if self._shows:
            self._show_failure(error)
        else:
            print_error(error)
        return error.exit_code

    def _show_step(self, title: str) -> None:
        self._show()
        self._show(title)

    def _notice(self, text: str) -> None:
        self._show(f"note: {text}", 3, 6) if self._shows else print_notice(text)

    def _show(self, text: str = "", indent: int = 0, hang: int = 0) -> None:
        """A paragraph on stdout, wrapped on a terminal."""
        if not self._shows:
            return
        width = min(shutil.get_terminal_size().columns, _WIDEST) if sys.stdout.isatty() else _NO_LIMIT
        first, further = " " * indent, " " * (indent + hang)
        lines = textwrap.wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines or [""]:
            echo(line)


def _find_outside() -> dict[str, str]:
    """This shell without settings, as the nightly sync will not have them."""
    given = find_given(os.environ)
    return {name: text for name, text in os.environ.items() if name not in given}


def _ask_hidden(label: str, *, optional: bool = False) -> str:
    default = "" if optional else None
    text = typer.prompt(f"   {label}", default=default, show_default=False, hide_input=True, err=True)
    return str(text).strip()


def _choose(question: str, accepted: Sequence[str], default: str | None) -> str:
    while True:
        answer = str(typer.prompt(f"   {question}", default=default, err=True)).strip().lower()
        if answer in accepted:
            return answer


def _confirm(question: str, *, default: bool | None) -> bool:
    return typer.confirm(f"   {question}", default=default, err=True)


def _describe(table: ClientTable, chosen: str) -> dict[str, Any]:
    return {
        "name": table.name,
        "columns": table.columns,
        "otherColumns": table.others,
        "isChosen": chosen in (table.name, table.name.partition(".")[2]),
    }


def _describe_columns(table: ClientTable) -> str:
    others = f"; {table.others} others are not read" if table.others else ""
    return f"{table.name}, {len(table.columns)} columns recognised: {', '.join(table.columns)}{others}"


def _list_names(relations: Sequence[RelationInfo]) -> str:
    names = [f"{one.schema}.{one.table}" for one in relations[:_LISTED]]
    return ", ".join(names + ["..."] * (len(relations) > _LISTED)) or "none that this role can read"
