"""One synchronisation run: recover, plan, check, apply, report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from openphone_sync.documents import format_time
from openphone_sync.errors import BUG_ENDED_RUN, InterruptedRunError, RunError, SafetyStopError, StaleError
from openphone_sync.model import ActionKind, DesiredContact, Done, Keep, RunRecord
from openphone_sync.ops.alerts import Watch, notify_end
from openphone_sync.rules.planning import Plan
from openphone_sync.rules.safety import SafetyLimit, check_safety, count_touched
from openphone_sync.run.aftermath import find_contacts_after, keep_staff_values
from openphone_sync.run.apply import Applied, apply_plan
from openphone_sync.run.context import Context, SyncOptions, keep_trying
from openphone_sync.run.coverage import keep_coverage
from openphone_sync.run.finish import record
from openphone_sync.run.forget import resume_forgetting
from openphone_sync.run.plan import FACT_LAST_FULL, Planned, make_settings_mark, plan_again, plan_sync
from openphone_sync.run.recover import recover_writes, report_broken_run
from openphone_sync.run.report import (
    FAILED,
    INTERRUPTED,
    PARTIAL,
    STOPPED,
    SUCCEEDED,
    Result,
    RunHeader,
    RunReport,
    hide_secrets,
    make_dry_run,
    make_report,
)
from openphone_sync.run.saved_plan import PlanHeader, check_header, follow_plan, load_plan, save_plan
from openphone_sync.run.write import WriteRules
from openphone_sync.views.cards import FACT_BIRTH_FIELD, FACT_FIELD_NAMES, make_own_contact

Planner = Callable[[float], Planned]
"""Makes a plan; takes the monotonic second until which ``--wait`` keeps trying."""

ROUNDS = 3
"""How often contacts found deleted at their turn are judged again; each round lists the workspace."""


def sync(options: SyncOptions, context: Context, header: RunHeader, plan: Path | None = None) -> RunReport:
    """Run once and record it in state, report file and metrics. What ends a run early is in the report.

    A saved ``plan`` is carried out exactly, and refused where the source has moved since it was made.
    """
    if plan is None:
        return carry_out(partial(plan_sync, options, context), options, context, header)
    saved = load_plan(plan)
    options = replace(
        options,
        full=saved.header.mode == "full",
        client_type=saved.header.client_type,
        limit=saved.header.limit,
        client_ids=saved.header.client_ids,
        reads_ahead=True,
    )

    def plan_as_saved(deadline_s: float) -> Planned:
        planned = plan_sync(options, context, deadline_s)
        check_header(saved, _plan_header(planned, options, context))
        return replace(planned, plan=follow_plan(saved, planned.plan))

    return carry_out(plan_as_saved, options, context, header)


def carry_out(planner: Planner, options: SyncOptions, context: Context, header: RunHeader) -> RunReport:
    """Recover what is open, plan, check, apply, report: the way of every run that writes."""
    store = context.store
    broken = store.read_broken_runs()
    store.start_run(header.run_id, header.command, header.started_at, complete=options.complete, undoes=header.undoes)
    try:
        deadline_s = context.clock.monotonic() + options.wait_s
        try:
            keep_trying(lambda: recover_writes(context), context, deadline_s)
            keep_trying(lambda: resume_forgetting(context, header.run_id), context, deadline_s)
        finally:
            for run in broken:
                _close_broken(run, context)
        planned = planner(deadline_s)
        header = _with_mode(header, planned)
        if not options.force:
            check_safety(planned.plan, make_limit(context))
        report = _act(planned, options, context, header)
    except RunError as error:
        report = _end(error, context, header)
    except BaseException:
        record(_end(RunError(BUG_ENDED_RUN), context, header), context)
        raise
    record(report, context)
    return report


def _close_broken(run: RunRecord, context: Context) -> None:
    """A run whose process died is recorded as interrupted, counted, and reported like any other."""
    report = report_broken_run(run, context)
    record(report, context, tidy=False)
    if context.settings.alert_on_failure:
        notify_end(context.settings, Watch(report.document, report.exit_code))


def dry_run(options: SyncOptions, context: Context, header: RunHeader, out: Path | None = None) -> RunReport:
    """The same plan and nothing written, but ``out``; what would have stopped the run is in the report."""
    options = replace(options, reads_ahead=True)

    def save(planned: Planned) -> None:
        if out is not None:
            plan_header = _plan_header(planned, options, context)
            save_plan(out, plan_header, planned.plan, planned.rules.merging, format_time(context.clock.now()))

    return show(partial(plan_sync, options, context), options, context, header, save)


def show(
    planner: Planner,
    options: SyncOptions,
    context: Context,
    header: RunHeader,
    save: Callable[[Planned], None] = lambda _: None,
) -> RunReport:
    """What a run would do, as a report with its actions; nothing is recorded."""
    try:
        planned = planner(context.clock.monotonic() + options.wait_s)
        if not options.force:
            check_safety(planned.plan, make_limit(context))
        save(planned)
        report = _report(Result(planned.plan), Applied(), context, _with_mode(header, planned), SUCCEEDED, 0)
        return RunReport(make_dry_run(report.document, planned.plan, planned.rules.merging))
    except RunError as error:
        report = _end(error, context, header)
        return RunReport({**report.document, "actions": []}, report.exit_code)


def make_limit(context: Context) -> SafetyLimit:
    """The safety limit of the settings."""
    limit = context.settings.max_changes
    return SafetyLimit(str(limit), limit.share or 0.0, limit.number)


def _plan_header(planned: Planned, options: SyncOptions, context: Context) -> PlanHeader:
    return PlanHeader(
        workspace=context.key_mark,
        source=planned.identity.source(),
        settings=make_settings_mark(context.settings),
        mode="full" if planned.full else "incremental",
        client_type=options.client_type,
        limit=options.limit,
        client_ids=options.client_ids,
    )


def _with_mode(header: RunHeader, planned: Planned) -> RunHeader:
    """A run that became full by itself says so."""
    return replace(header, mode="full") if planned.full else header


def _act(planned: Planned, options: SyncOptions, context: Context, header: RunHeader) -> RunReport:
    """Write, and judge those again whose contact turned out to be deleted."""
    plan, store = planned.plan, context.store
    if plan.writes:
        store.keep_copy(context.clock.now())
    planned.identity.remember()
    store.mark_removed(plan.removed)
    rules = WriteRules(header.run_id, context.settings.source, planned.rules.merging, options.fail_fast)
    applied = apply_plan(plan, context, rules)
    result = Result(plan, applied.outcomes)
    touched: Counter[str] = Counter()
    wanted = {desired.external_id: desired for desired in planned.gathered.wanted}
    checked_all = False
    try:
        for _ in range(ROUNDS):
            if not applied.gone or applied.stopped_by or applied.interrupted:
                break
            touched += count_touched(planned.plan)
            planned = plan_again(planned, applied.gone, options, context)
            wanted |= {desired.external_id: desired for desired in planned.gathered.wanted}
            if not options.force:
                check_safety(planned.plan, make_limit(context), touched)
            applied = apply_plan(planned.plan, context, rules)
            result = result.add(planned.plan, applied.outcomes)
        checked_all = _remember_findings(wanted, planned, result, applied, options, context)
    except RunError as error:  # what was written is in the report all the same
        applied.interrupted = applied.interrupted or context.stopping()
        applied.stopped_by = applied.stopped_by or (None if applied.interrupted else error)
    unfinished = {one.action.link.client_id for one in result.outcomes if not isinstance(one, Done)}
    store.mark_due(unfinished)
    if checked_all or result.outcomes:
        listed = planned.gathered.contacts if checked_all else {}
        contacts = find_contacts_after(listed, header.run_id, store)
        keep_staff_values(contacts, planned.rules.merging, store, every=checked_all)
        if checked_all:  # last: it takes requests, and a process that dies meanwhile has lost nothing
            keep_coverage(contacts, context)
    status, exit_code = _judge(result, applied, context)
    return _report(result, applied, context, header, status, exit_code)


def _remember_findings(
    wanted: Mapping[str, DesiredContact],
    planned: Planned,
    result: Result,
    applied: Applied,
    options: SyncOptions,
    context: Context,
) -> bool:
    """Candidates and cards of held contacts, warnings, rows that look alike, and when every link was last checked.

    Returns whether this run has checked every link.
    """
    store, plan = context.store, result.plan
    judged = {*wanted, *(action.link.external_id for action in plan.actions if not isinstance(action, Keep))}
    evidence = {
        action.link.external_id: action.evidence if action.kind is ActionKind.HOLD else ()
        for action in plan.actions
        if isinstance(action, Keep) and action.link.external_id in judged
    }
    # What was not carried out stays as it was: held and decided, with its candidates.
    undone = {one.action.link.external_id for one in result.outcomes if not isinstance(one, Done)}
    candidates = {key: evidence.get(key, ()) for key in judged - undone}
    shown = {key for key, found in candidates.items() if found}
    shown |= {candidate.subject for found in candidates.values() for candidate in found}
    shown |= {one.other for one in plan.look_alikes}
    contacts = planned.gathered.contacts
    cards = [contacts[key] for key in sorted(shown & contacts.keys())]
    people = [make_own_contact(wanted[key]) for key in sorted(shown & wanted.keys())]
    store.save_look_alikes(plan.look_alikes, judged=sorted(judged))
    store.save_candidates(candidates, (*plan.cards, *cards, *people))
    store.forget_acknowledged()
    if planned.fields.definitions:
        store.save_fact(FACT_BIRTH_FIELD, planned.fields.birth_key or "")
        store.save_fact(FACT_FIELD_NAMES, json.dumps({one.key: one.name for one in planned.fields.definitions}))
    skipped = {one.external_id for one in planned.gathered.skipped}
    warnings = {key: (desired.client_id, desired.warnings) for key, desired in wanted.items()}
    store.save_warnings(warnings, judged=sorted(judged | skipped))
    whole = planned.gathered.listed and options.complete and not applied.interrupted and applied.stopped_by is None
    checked_all = whole and (planned.full or store.read_fact(FACT_LAST_FULL) is None)
    if checked_all:
        store.save_fact(FACT_LAST_FULL, str(context.clock.now()))
    return checked_all


def _judge(result: Result, applied: Applied, context: Context) -> tuple[str, int]:
    """Status and exit code of a run that wrote."""
    if applied.interrupted:
        return INTERRUPTED, 128 + context.signal_number()
    if isinstance(applied.stopped_by, SafetyStopError):
        return STOPPED, applied.stopped_by.exit_code
    if applied.stopped_by is not None:
        return FAILED, applied.stopped_by.exit_code
    if result.plan.failures or any(not isinstance(outcome, Done) for outcome in result.outcomes):
        return PARTIAL, 1
    return SUCCEEDED, 0


def _end(error: RunError, context: Context, header: RunHeader) -> RunReport:
    """The report of a run that ended before its first write."""
    if context.stopping():
        error = InterruptedRunError(context.signal_number())
    status = FAILED
    if isinstance(error, InterruptedRunError):
        status = INTERRUPTED
    elif isinstance(error, SafetyStopError | StaleError):
        status = STOPPED
    return _report(Result(Plan()), Applied(stopped_by=error), context, header, status, error.exit_code)


def _report(
    result: Result, applied: Applied, context: Context, header: RunHeader, status: str, exit_code: int
) -> RunReport:
    document: dict[str, Any] = make_report(
        header,
        result,
        status=status,
        exit_code=exit_code,
        finished_at=context.clock.now(),
        requests=context.workspace.request_counts(),
        warnings=(*context.warnings, *result.plan.warnings),
        message=str(applied.stopped_by) if applied.stopped_by else "",
    )
    hide_secrets(document, context.hide_secrets)
    return RunReport(document, exit_code)
