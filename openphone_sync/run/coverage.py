"""How many of the numbers that called show a name: measured after a run that listed the workspace."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from openphone_sync.conversations.coverage import Gap
from openphone_sync.conversations.coverage_reading import measure
from openphone_sync.errors import OpenPhoneSyncError
from openphone_sync.model import RemoteContact
from openphone_sync.run.context import Context


def keep_coverage(contacts: Mapping[str, RemoteContact], context: Context) -> None:
    """Measure coverage and keep it. The run has done its work: what goes wrong here is a warning.

    ``contacts`` are those of the workspace as the run left them.
    """
    if context.coverage is None or context.stopping():
        return
    try:
        document = measure(context.coverage, contacts.values())
        unnamed = [one for one in document["unnamed"] if one["code"] != Gap.FORGOTTEN]  # their numbers are not kept
        context.store.save_coverage({**document, "unnamed": unnamed}, context.clock.now())
    except OpenPhoneSyncError as error:
        context.warnings.append(f"coverage was not measured: {error}")
    except Exception:  # a bug, or a conversation like no other
        logging.getLogger(__name__).exception("coverage cannot be measured")
        context.warnings.append("coverage was not measured (a bug); look into the log, and report it")
