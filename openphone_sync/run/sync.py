"""One synchronisation run: settle, decide, check, act, report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from openphone_sync.config import Settings
from openphone_sync.documents import format_time
from openphone_sync.errors import InterruptedRunError, RunError, SafetyStopError, WorldMovedError
from openphone_sync.model import ActionKind, Result
from openphone_sync.ops.logging import OPERATOR
from openphone_sync.rules.planning import Plan, SafetyLimit, check_safety
from openphone_sync.run.apply import Applied, ApplyRules, apply_plan
from openphone_sync.run.context import Parts, SyncOptions
from openphone_sync.run.finish import tidy_up
from openphone_sync.run.plan import FACT_LAST_FULL, Decided, decide, make_settings_mark
from openphone_sync.run.recover import settle_unfinished
from openphone_sync.run.report import (
    FAILED,
    INTERRUPTED,
    PARTIAL,
    RUNS_FOLDER,
    STOPPED,
    SUCCEEDED,
    RunFrame,
    RunReport,
    check_counts,
    hide_secrets,
    make_dry_run,
    make_report,
    save_report,
)
from openphone_sync.run.saved_plan import PlanFrame, check_frame, check_plan, load_plan, save_plan
from openphone_sync.run.waiting import keep_trying

Deciding = Callable[[float], Decided]
"""Makes a plan; takes the monotonic second until which ``--wait`` keeps trying."""


def sync(options: SyncOptions, parts: Parts, frame: RunFrame, plan: Path | None = None) -> RunReport:
    """Run once and record it in state, report file and metrics. What ends a run early is in the report.

    A saved ``plan`` is carried out exactly, and refused where the world has moved since it was made.
    """
    if plan is not None:
        return _sync_by_plan(plan, options, parts, frame)
    return carry_out(partial(decide, options, parts, frame.run_id), options, parts, frame)


def _sync_by_plan(path: Path, options: SyncOptions, parts: Parts, frame: RunFrame) -> RunReport:
    saved = load_plan(path)
    options = replace(
        options,
        full=saved.frame.mode == "full",
        client_type=saved.frame.client_type,
        limit=saved.frame.limit,
    )

    def decide_again(deadline_s: float) -> Decided:
        decided = decide(options, parts, frame.run_id, deadline_s)
        check_frame(saved, _plan_frame(decided, options, parts))
        check_plan(saved, decided.plan)
        return decided

    return carry_out(decide_again, options, parts, frame)


def carry_out(deciding: Deciding, options: SyncOptions, parts: Parts, frame: RunFrame) -> RunReport:
    """Settle what is open, decide, check, act, report: the way of every run that writes."""
    parts.store.start_run(frame.run_id, frame.command, frame.started_at)
    try:
        deadline_s = _make_deadline(options, parts)
        keep_trying(lambda: settle_unfinished(parts), parts, deadline_s)
        decided = deciding(deadline_s)
        frame = _framed(frame, decided)
        _check(decided, options, parts)
        report = _act(decided, options, parts, frame)
    except RunError as error:
        report = _end(error, parts, frame)
    except BaseException:
        _record(
            _end(RunError("a bug ended the run; look into the log in the state folder, and report it"), parts, frame),
            parts,
        )
        raise
    _record(report, parts)
    return report


def dry_run(options: SyncOptions, parts: Parts, frame: RunFrame, out: Path | None = None) -> RunReport:
    """The same plan and nothing written, but ``out``; what would have stopped the run is in the report."""

    def save(decided: Decided) -> None:
        if out is not None:
            save_plan(out, _plan_frame(decided, options, parts), decided.plan, format_time(parts.clock.now()))

    return show(partial(decide, options, parts, frame.run_id), options, parts, frame, save)


def show(
    deciding: Deciding,
    options: SyncOptions,
    parts: Parts,
    frame: RunFrame,
    save: Callable[[Decided], None] = lambda _: None,
) -> RunReport:
    """What a run would do, as a report with its actions; nothing is recorded."""
    try:
        decided = deciding(_make_deadline(options, parts))
        _check(decided, options, parts)
        save(decided)
        document = _report(decided.plan, Applied(), parts, _framed(frame, decided), SUCCEEDED)
        return RunReport(make_dry_run(document, decided.plan))
    except RunError as error:
        report = _end(error, parts, frame)
        return RunReport(make_dry_run(report.document, Plan()), report.exit_code)


def _make_deadline(options: SyncOptions, parts: Parts) -> float:
    return parts.clock.monotonic() + options.wait_s


def _check(decided: Decided, options: SyncOptions, parts: Parts) -> None:
    if not options.force:
        limit = parts.settings.max_changes
        check_safety(decided.plan, SafetyLimit(str(limit), limit.share or 0.0, limit.number))


def _plan_frame(decided: Decided, options: SyncOptions, parts: Parts) -> PlanFrame:
    return PlanFrame(
        workspace=parts.key_mark,
        source=decided.world.source(),
        settings=make_settings_mark(parts.settings),
        mode="full" if decided.full else "incremental",
        client_type=options.client_type,
        limit=options.limit,
    )


def _framed(frame: RunFrame, decided: Decided) -> RunFrame:
    """A run that became full by itself says so."""
    return replace(frame, mode="full") if decided.full else frame


def _act(decided: Decided, options: SyncOptions, parts: Parts, frame: RunFrame) -> RunReport:
    plan, store = decided.plan, parts.store
    if plan.pending:
        store.keep_copy(parts.clock.now())
    decided.world.remember()
    store.mark_removed(plan.removed)
    store.forget_links(plan.forgotten)
    rules = ApplyRules(
        run_id=frame.run_id,
        source=parts.settings.source,
        merging=decided.merging,
        fail_fast=options.fail_fast,
    )
    applied = apply_plan(plan, parts.workspace, store, rules, parts.clock, parts.progress, parts.stopping)
    try:
        store.mark_due({one.action.client_id for one in applied.outcomes if one.result is not Result.DONE})
        _remember_findings(decided, applied, options, parts)
    except RunError as error:  # what was written is in the report all the same
        applied = replace(applied, stopped_by=applied.stopped_by or error)
    status, exit_code = _judge(applied, parts)
    return RunReport(_report(plan, applied, parts, frame, status), exit_code)


def _remember_findings(decided: Decided, applied: Applied, options: SyncOptions, parts: Parts) -> None:
    """Candidates of held contacts, rows that look alike, and when every link was last checked."""
    judged = [one for one in decided.plan.actions if one.verdict]
    held = {one.external_id: one.evidence if one.kind is ActionKind.HOLD else () for one in judged}
    parts.store.save_candidates(held)
    parts.store.save_look_alikes(decided.plan.look_alikes, judged=list(held))
    whole = decided.listed and options.complete and not applied.interrupted and applied.stopped_by is None
    if whole and (decided.full or parts.store.read_fact(FACT_LAST_FULL) is None):
        parts.store.save_fact(FACT_LAST_FULL, str(parts.clock.now()))


def _judge(applied: Applied, parts: Parts) -> tuple[str, int]:
    """Status and exit code of a run that wrote."""
    if applied.interrupted:
        return INTERRUPTED, 128 + parts.signal_number()
    if applied.stopped_by is not None:
        return FAILED, applied.stopped_by.exit_code
    if any(outcome.result is not Result.DONE for outcome in applied.outcomes):
        return PARTIAL, 1
    return SUCCEEDED, 0


def _end(error: RunError, parts: Parts, frame: RunFrame) -> RunReport:
    """The report of a run that ended before its first write."""
    if parts.stopping():
        error = InterruptedRunError(parts.signal_number())
    status = FAILED
    if isinstance(error, InterruptedRunError):
        status = INTERRUPTED
    elif isinstance(error, SafetyStopError | WorldMovedError):
        status = STOPPED
    return RunReport(_report(Plan(), Applied(stopped_by=error), parts, frame, status), error.exit_code)


def _report(plan: Plan, applied: Applied, parts: Parts, frame: RunFrame, status: str) -> dict[str, Any]:
    document = make_report(
        frame,
        plan,
        applied.outcomes,
        status=status,
        finished_at=parts.clock.now(),
        requests=parts.workspace.request_counts(),
        warnings=(*parts.warnings, *plan.warnings),
        message=str(applied.stopped_by) if applied.stopped_by else "",
    )
    check_counts(plan, document)
    hide_secrets(document, parts.hide_secrets)
    return document


def _record(report: RunReport, parts: Parts) -> None:
    """Keep the report: in the state, as a file of its own, and in the metrics."""
    text = json.dumps(report.document, ensure_ascii=False)
    parts.store.finish_run(report.run_id, report.status, parts.clock.now(), text)
    _save_file(report, parts.settings)
    tidy_up(parts.store, parts.settings, parts.clock.now())


def _save_file(report: RunReport, settings: Settings) -> None:
    """The run file; one that cannot be written is a warning: the run has been, and the state has its report."""
    try:
        save_report(settings.state_dir, report.document)
    except OSError as error:
        logging.getLogger(OPERATOR).warning(
            "the run file cannot be written to %s (%s); check rights and space",
            settings.state_dir / RUNS_FOLDER,
            error.strerror,
        )
