"""Single writes: the only caller of requests that change something.

Intent first: a journal row is committed, then the request goes out, then what came of it is committed together with
the link. A kill at any point loses nothing: the next start finds the open row and recovers it.

A contact is read, merged and patched back to back, never from a copy that was read for planning: the time in which an
edit of staff could be lost is one round trip. What to send is not decided here; the rules are asked for this contact.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace

from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactForbiddenError,
    ContactGoneError,
    NotSentError,
    RunError,
)
from openphone_sync.model import (
    ActionKind,
    Answer,
    Conflict,
    ContactDraft,
    Create,
    Delete,
    DesiredContact,
    Done,
    Failed,
    Gone,
    Intent,
    Left,
    Link,
    Merged,
    Outcome,
    Reason,
    RemoteContact,
    Restore,
    Result,
    Stale,
    Standing,
    Tie,
    Update,
    Why,
    Write,
)
from openphone_sync.rules.matching import is_integration
from openphone_sync.rules.merging import MergeRules, find_differences, holds_typed, merge
from openphone_sync.rules.planning import make_next_id
from openphone_sync.rules.undo import restore
from openphone_sync.run.context import Context
from openphone_sync.run.saved_plan import digest_contact

LOOK_UP_DELAYS_S = (0.0, 1.0, 2.0, 4.0)
"""When to look for a contact whose POST got no answer: new contacts are listed after 2 to 3 s (seen live)."""

POST_ATTEMPTS = 3
"""How often a creation is sent when its answer keeps getting lost and nothing is found."""

FORBIDDEN = "forbidden"
NOT_AS_SENT = "not as sent"


@dataclass(frozen=True, slots=True)
class WriteRules:
    """What writing needs besides the plan."""

    run_id: str
    source: str
    merging: MergeRules
    fail_fast: bool = False


class Writer:
    """Carries out single actions; used by many threads. ``claimed``: contacts that some link or action holds."""

    def __init__(self, context: Context, rules: WriteRules, claimed: frozenset[str]) -> None:
        self._workspace = context.workspace
        self._store = context.store
        self._clock = context.clock
        self._rules = rules
        self._claimed = claimed
        self._refused = context.store.read_refused()
        self._ended = threading.Event()

    def write(self, action: Write) -> Outcome:
        """One action. Raises `RunError` only where the whole run must end; its journal row then stays open."""
        if self._ended.is_set():
            return Left(action)
        try:
            return self._dispatch(action)
        except NotSentError:
            return Left(action)
        except RunError:
            self._ended.set()  # the others must not begin anything, also before the main thread hears of it
            raise
        except Exception:  # what goes wrong for one contact fails that contact, never the run
            logging.getLogger(__name__).exception("writing %s", action.link.external_id)
            return Failed(action, 0, "bug", "a bug; look into the log, and report it")

    def _dispatch(self, action: Write) -> Outcome:
        match action:
            case Create():
                return self._create(action)
            case Update():
                return self._update(action)
            case Restore():
                return self._restore(action)
            case Delete():
                return self._delete(action)

    # --- update ------------------------------------------------------------------------------------------------------

    def _update(self, action: Update) -> Outcome:
        try:
            contact = self._workspace.read_contact(action.contact_id)
        except ContactGoneError:
            return _find_gone(action)
        except ContactError as error:
            return self._fail(action, None, error)
        if action.expected and digest_contact(contact) != action.expected:
            return Stale(action)
        merged = merge(action.link.base, contact, action.desired, self._rules.merging, action.tie)
        link = replace(action.link, base=merged.base, failures=0)
        if not merged.changes:
            self._store.save_links([link])
            kind = ActionKind.UNCHANGED if action.tie is Tie.LINKED else ActionKind.ADOPT
            return Done(action, kind, contact.contact_id, merged.conflicts)
        return self._patch(action, contact, merged, link, action.kind)

    def _restore(self, action: Restore) -> Outcome:
        try:
            contact = self._workspace.read_contact(action.contact_id)
        except ContactGoneError:
            return Done(action, ActionKind.SKIP, action.contact_id, why=Why(Reason.DELETED_SINCE))
        except ContactError as error:
            return self._fail(action, None, error)
        merged = restore(action.before, action.after, contact, self._rules.merging)
        if not merged.changes:
            return Done(action, ActionKind.SKIP, action.contact_id, merged.conflicts, Why(Reason.NOTHING_LEFT))
        return self._patch(action, contact, merged, action.link, ActionKind.UPDATE)

    def _patch(self, action: Write, contact: RemoteContact, merged: Merged, link: Link, kind: ActionKind) -> Outcome:
        """Send the whole contact, commit what was answered; ``link`` is the state row that a success leaves."""
        draft = merged.draft
        intent = Intent(kind, link, contact.contact_id, contact, draft, action.link)
        entry_id = self._store.save_intent(self._rules.run_id, intent, self._clock.now())
        try:
            answer = self._send_patch(contact.contact_id, draft)
        except ContactForbiddenError as error:
            return self._forbidden(action, entry_id, contact, error)
        except ContactError as error:
            found = self._look_after(action, entry_id, contact.contact_id, draft, error)
            if not isinstance(found, RemoteContact):
                return found
            answer = found
        wrong = find_differences(replace(draft, external_id=None), answer, self._rules.merging)
        if wrong:
            text = f"the answer is not what was sent: {', '.join(wrong)}"
            return self._fail(action, entry_id, ContactError(text, status=200, code=NOT_AS_SENT), after=answer)
        return self._finish(action, entry_id, answer, link, kind, merged.conflicts)

    def _send_patch(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """If the external id to set is taken, the link is in the state only."""
        try:
            return self._workspace.update_contact(contact_id, draft)
        except ContactConflictError:
            if draft.external_id is None:
                raise
            return self._workspace.update_contact(contact_id, replace(draft, external_id=None))

    def _look_after(
        self, action: Write, entry_id: int, contact_id: str, draft: ContactDraft, error: ContactError
    ) -> RemoteContact | Outcome:
        """The contact, where an error hid that the write was carried out; else what came of it.

        Otherwise the next run would take what we wrote for what staff typed.
        """
        may_be_done = error.status in (0, 404, 409) or error.status >= 500
        if isinstance(error, NotSentError) or not may_be_done:
            return self._fail(action, entry_id, error)
        try:
            contact = self._workspace.read_contact(contact_id)
        except ContactGoneError as gone:
            if not isinstance(action, Update):
                return self._fail(action, entry_id, gone)
            self._close(entry_id, gone)
            return _find_gone(action)
        except ContactError:
            return self._fail(action, None, error)  # the journal row stays open: the next start finds out
        if find_differences(replace(draft, external_id=None), contact, self._rules.merging):
            return self._fail(action, entry_id, _still_there(error))
        return contact

    def _forbidden(self, action: Write, entry_id: int, contact: RemoteContact, error: ContactForbiddenError) -> Outcome:
        """403 is a permission. Only together with a foreign source does it say that an integration owns the contact."""
        self._store.save_refused(contact.contact_id, refused=True)
        if not isinstance(action, Update) or not is_integration(contact, self._rules.source, refused=True):
            text = "OpenPhone does not allow the change (403); check what the API key may do"
            return self._fail(action, entry_id, ContactError(text, status=error.status, code=FORBIDDEN))
        why = Why(Reason.OWNED_BY_INTEGRATION)
        link = replace(action.link, contact_id=None, base=None, standing=Standing.SKIPPED, why=why)
        answer = Answer(Result.FAILED, contact.contact_id, ActionKind.SKIP, error.status, error.code, error.message)
        self._store.save_outcome(entry_id, answer, link, self._clock.now())
        return Done(action, ActionKind.SKIP, contact.contact_id, why=why)

    # --- creation ----------------------------------------------------------------------------------------------------

    def _create(self, action: Create) -> Outcome:
        intent = Intent(ActionKind.CREATE, action.link, draft=action.draft)
        entry_id = self._store.save_intent(self._rules.run_id, intent, self._clock.now())
        try:
            answer = self._post(action.draft)
        except ContactConflictError as error:
            return self._create_conflicting(action, entry_id, error)
        except ContactError as error:
            return self._fail(action, entry_id, error)
        if action.draft.external_id == answer.external_id and not self._differs(action.draft, answer):
            return self._finish(action, entry_id, answer, replace(action.link, failures=0), ActionKind.CREATE)
        if action.desired is None:
            return self._fail_other_contact(action, entry_id, answer)
        # Created, but not quite as sent: the journal says so, and what is missing is patched in a write of its own.
        base = replace(action.link, contact_id=answer.contact_id, base=None, standing=Standing.PENDING)
        self._store.save_outcome(
            entry_id, Answer(Result.DONE, answer.contact_id, after=answer), base, self._clock.now()
        )
        return self._bring(action, action.desired, answer, ActionKind.CREATE)

    def _differs(self, draft: ContactDraft, answer: RemoteContact) -> bool:
        return bool(find_differences(draft, answer, self._rules.merging))

    def _create_conflicting(self, action: Create, entry_id: int, error: ContactConflictError) -> Outcome:
        """409: an earlier contact of ours carries the external id. It is adopted where it can be found."""
        try:
            found = self._look_up(action.draft.external_id)
        except ContactError as failure:  # nothing was made: what was sent is nobody's base
            unmade = replace(action, link=replace(action.link, base=None))
            return self._fail(unmade, entry_id, failure)
        if found is None and action.again:
            # The deleted contact still holds the external id, so the new one gets an id of its own.
            self._close(entry_id, error)
            draft = replace(action.draft, external_id=make_next_id(action.draft.external_id or ""))
            return self._create(replace(action, draft=draft, again=False))
        if found is None:
            text = "the external id is taken (409), but no contact of ours carries it"
            return self._fail(action, entry_id, ContactError(text, status=error.status, code=error.code))
        if action.desired is None:
            return self._fail_other_contact(action, entry_id, found)
        self._close(entry_id, error)
        return self._bring(action, action.desired, found, ActionKind.ADOPT)

    def _bring(self, action: Create, desired: DesiredContact, found: RemoteContact, kind: ActionKind) -> Outcome:
        """Bring a contact of ours that was just read to what was to be created."""
        merged = merge(None, found, desired, self._rules.merging, Tie.OWN)
        link = replace(action.link, contact_id=found.contact_id, base=merged.base, failures=0)
        if not merged.changes:
            self._store.save_links([link])
            return Done(action, kind, found.contact_id, merged.conflicts)
        journal_kind = ActionKind.UPDATE if kind is ActionKind.CREATE else kind
        outcome = self._patch(action, found, merged, link, journal_kind)
        return replace(outcome, kind=kind) if isinstance(outcome, Done) else outcome

    def _fail_other_contact(self, action: Create, entry_id: int, found: RemoteContact) -> Outcome:
        error = ContactError("the contact that came back is not the one that was deleted", code=NOT_AS_SENT)
        return self._fail(action, entry_id, error, after=found)

    def _post(self, draft: ContactDraft) -> RemoteContact:
        """Send a creation; where the answer is lost, look for the contact before anything is sent again."""
        attempt = 1
        while True:
            try:
                return self._workspace.create_contact(draft)
            except AnswerLostError as lost:
                try:
                    found = self._look_up(draft.external_id)
                except ContactError:
                    raise lost from None
                if found is not None:
                    return found
                if attempt == POST_ATTEMPTS:
                    raise
            attempt += 1

    def _look_up(self, external_id: str | None) -> RemoteContact | None:
        """The contact with this external id and our source, allowing for the lag of the list.

        One that another of our people holds is not it: people move between slots, external ids do not.
        """
        if external_id is None:
            return None
        for delay_s in LOOK_UP_DELAYS_S:
            self._clock.sleep(delay_s)
            for listed in self._workspace.find_contacts([external_id]):
                if listed.source != self._rules.source or listed.contact_id in self._claimed:
                    continue
                try:
                    return self._workspace.read_contact(listed.contact_id)
                except ContactGoneError:
                    continue  # deleted contacts can stay in the list by external id (seen live)
        return None

    # --- deletion ----------------------------------------------------------------------------------------------------

    def _delete(self, action: Delete) -> Outcome:
        """Delete, if the contact still holds nothing that a person typed."""
        try:
            contact = self._workspace.read_contact(action.contact_id)
        except ContactGoneError:
            link = replace(action.link, contact_id=None, base=None)
            self._store.save_links([link])
            return Done(action, ActionKind.DELETE, action.contact_id)
        except ContactError as error:
            return self._fail(action, None, error)
        if action.created is not None:
            if contact != action.created:
                return Done(action, ActionKind.SKIP, action.contact_id, why=Why(Reason.CHANGED_SINCE))
        elif holds_typed(action.link.base, contact, self._rules.merging):
            why = Why(Reason.TYPED_BY_STAFF)
            self._store.save_links([replace(action.link, why=why)])
            return Done(action, ActionKind.SKIP, action.contact_id, why=why)
        intent = Intent(
            ActionKind.DELETE,
            replace(action.link, contact_id=None, base=None),
            action.contact_id,
            contact,
            earlier=action.link,
        )
        entry_id = self._store.save_intent(self._rules.run_id, intent, self._clock.now())
        try:
            self._workspace.delete_contact(action.contact_id)
        except ContactError as error:
            return self._fail(action, entry_id, error)
        self._store.save_outcome(entry_id, Answer(Result.DONE, action.contact_id), intent.link, self._clock.now())
        return Done(action, ActionKind.DELETE, action.contact_id)

    # --- endings -----------------------------------------------------------------------------------------------------

    def _finish(
        self,
        action: Write,
        entry_id: int,
        contact: RemoteContact,
        link: Link,
        kind: ActionKind,
        conflicts: tuple[Conflict, ...] = (),
    ) -> Outcome:
        unlinks = isinstance(action, Restore) and link.base is None  # nobody knows any more what of it is ours
        link = replace(link, contact_id=None if unlinks else contact.contact_id)
        answer = Answer(Result.DONE, contact.contact_id, kind, conflicts=conflicts, after=contact)
        self._store.save_outcome(entry_id, answer, link, self._clock.now())
        if contact.contact_id in self._refused:
            self._store.save_refused(contact.contact_id, refused=False)  # the refusal is over
        return Done(action, kind, contact.contact_id, conflicts)

    def _close(self, entry_id: int, error: ContactError) -> None:
        """Nothing was written by this entry, and the link stays as it is."""
        answer = Answer(Result.FAILED, status=error.status, code=error.code, message=error.message)
        self._store.save_outcome(entry_id, answer, None, self._clock.now())

    def _fail(
        self,
        action: Write,
        entry_id: int | None,
        error: ContactError,
        standing: Standing = Standing.PENDING,
        why: Why | None = None,
        *,
        after: RemoteContact | None = None,
    ) -> Outcome:
        """What was wanted is marked for another try. A deletion or a rollback that failed leaves its state row alone."""
        unsent = isinstance(error, NotSentError)
        link: Link | None = None
        if isinstance(action, Update) or (isinstance(action, Create) and action.desired is not None):
            link = replace(
                action.link,
                standing=standing,
                why=why or Why(Reason.WRITE_FAILED, error.message),
                failures=action.link.failures + (not unsent),
            )
            if isinstance(action, Create):
                # Where no answer came, the contact may be there: the next run must know what was sent.
                link = replace(link, base=link.base if isinstance(error, AnswerLostError) else None)
            elif action.tie is not Tie.LINKED and action.link.base is None:
                link = replace(link, contact_id=None)  # joining a person's contact has made no link
            elif not link.person:
                link = self._keep_person(link)
        if entry_id is not None:
            result = Result.UNFINISHED if unsent else Result.FAILED
            answer = Answer(result, status=error.status, code=error.code, message=error.message, after=after)
            self._store.save_outcome(entry_id, answer, link, self._clock.now())
        elif link is not None:
            self._store.save_links([link])
        return Left(action) if unsent else Failed(action, error.status, error.code, error.message)

    def _keep_person(self, link: Link) -> Link:
        """A row without a name was not written: the contact still is whom it was written for, and nobody else's."""
        known = self._store.read_links_of_contacts([link.contact_id] if link.contact_id else [])
        return replace(link, person=known[0].person, phones=known[0].phones) if known else link


def _find_gone(action: Update) -> Outcome:
    """The contact was deleted in the app: a saved plan does not say that it is made again."""
    return Stale(action) if action.expected else Gone(action)


def _still_there(error: ContactError) -> ContactError:
    """A 404 to a write of a contact that can be read: a write that failed, not a contact that is gone."""
    gone = isinstance(error, ContactGoneError)
    return ContactError(error.message, status=error.status, code=error.code) if gone else error
