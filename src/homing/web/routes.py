"""From path to protocol: one server answers every generation of client at once.

A path is matched whole, then without its first segment, which is a stage such as `/prod` at AWS. `Application.begin`
answers what needs no commit at once, and tells of the rest what it waits for. Nothing here knows what an update is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from homing.app.authentication import WouldBlock
from homing.app.service import Committing
from homing.core.errors import StoreError
from homing.core.values import frozen, replace
from homing.protocols import awslabs, ddupdate, dyndns2, reflector, signed
from homing.protocols.http import BadRequest, Response, client_address, json_response, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from homing.app.service import Service
    from homing.core.addresses import Address, Network
    from homing.core.outcomes import Answer
    from homing.core.update import UpdateRequest
    from homing.protocols.http import Request

Render: TypeAlias = Callable[["Answer"], Response]
Health: TypeAlias = Callable[[], "int | None"]
"""Returns the age of the publishing backlog in seconds, None where others look after that, or raises StoreError."""

_GREETING = """\
Homing: dynamic DNS. Your address moves, your name stays.

/ip          your address
/nic/update  dyndns2
/v1/update   signed requests
"""


@frozen
class Blocking:
    """The rest of an answer takes its time: call `run` in a thread."""

    run: Callable[[], Response]


@frozen
class Waiting:
    """The rest of an answer waits for a commit: call `proceed`, which does not block, once `done` has ended."""

    done: Future[None]
    proceed: Callable[[], Response | Waiting]


Result: TypeAlias = Response | Blocking | Waiting


@frozen
class Access:
    """What the operator set about who may ask."""

    trusted_proxies: Sequence[Network] = ()
    """Only these may say in X-Forwarded-For for whom they speak."""
    api_key: str | None = None
    api_key_paths: Literal["awslabs", "all"] = "awslabs"
    """Routers cannot send a key, so that it is demanded on the awslabs paths only, unless the operator wants it."""


class Application:
    """Everything that answers HTTP, whichever runtime brings the request."""

    def __init__(self, service: Service, health: Health, access: Access) -> None:
        self._service = service
        self._health = health
        self._access = access

    def handle(self, request: Request) -> Response:
        """Answer a request in full. May block."""
        result = self.begin(request)
        while isinstance(result, Waiting):
            result.done.exception()  # waits
            result = result.proceed()
        return result.run() if isinstance(result, Blocking) else result

    def begin(self, request: Request) -> Result:
        """Answer at once what only reads; tell of the rest what it waits for."""
        try:
            source = client_address(request.peer, request.headers, self._access.trusted_proxies)
        except BadRequest as error:
            return _with_log(text(400, "bad request\n"), request.peer, path="-", culprit=str(error))
        try:
            result = self._route(request, source)
        except BadRequest as error:
            result = _with_log(text(400, "bad request\n"), source, path="-", culprit=str(error))
        return _with_log(result, source) if isinstance(result, Response) and "client" not in result.log else result

    def _route(self, request: Request, source: Address) -> Result:
        if not request.path.startswith("/"):
            raise BadRequest("the target is no path")
        is_ddupdate = ddupdate.is_ddupdate(request)
        for path in (request.path, _without_stage(request.path)):
            if path == "/healthz":
                return self._answer_health()
            is_awslabs = path == "/" and not is_ddupdate and awslabs.is_awslabs(request)
            if not self._has_key(request, is_awslabs=is_awslabs):
                return Response(
                    403, b'{"message":"Forbidden"}', "application/json", log={"path": "-", "outcome": "API key refused"}
                )
            if is_ddupdate:
                return self._ddupdate(request, source)
            if is_awslabs:
                return self._awslabs(request, source)
            if (found := self._match(path, request, source)) is not None:
                return found
        # Some protocols that are not spoken here carry a token in the path.
        return text(404, "not found\n", path="-", outcome="no such path")

    def _match(self, path: str, request: Request, source: Address) -> Result | None:
        match path:
            case _ if path in dyndns2.PATHS:
                return self._dyndns2(request, source)
            case signed.UPDATE_PATH:
                return self._run(signed.parse(request, source), signed.render, "signed")
            case signed.HOSTS_PATH:
                return self._list(signed.parse_hosts(request, source), signed.render_hosts, "signed")
            case "/nic/checkip" | "/checkip":
                return reflector.checkip(source)
            case "/ip" | "/myip":
                return reflector.as_json(source) if _wants_json(request) else reflector.bare(source)
            case "/" if path == request.path and not request.query and request.method == "GET":
                return text(200, _GREETING)
        return None

    # --- protocols

    def _awslabs(self, request: Request, source: Address) -> Result:
        asked = awslabs.parse(request, source)
        if isinstance(asked, Response):
            return asked

        def render(answer: Answer) -> Response:
            return awslabs.render(asked, answer)

        if asked.mode == "list_hosts":
            return self._list(asked.update, render, "awslabs")
        return self._run(asked.update, render, "awslabs")

    def _dyndns2(self, request: Request, source: Address) -> Result:
        asked = dyndns2.parse(request, source)
        if isinstance(asked, Response):
            return asked
        return self._run(asked.update, lambda answer: dyndns2.render(asked, answer), "dyndns2")

    def _ddupdate(self, request: Request, source: Address) -> Result:
        return self._run(ddupdate.parse(request, source), ddupdate.render, "ddupdate")

    def _run(self, update: UpdateRequest | Response, render: Render, protocol: str) -> Result:
        """Plan at once; what takes long to verify or to publish belongs into a thread, and a commit is waited for."""
        if isinstance(update, Response):
            return update

        def finish(answer: Answer) -> Response:
            return _with_outcome(render(answer), update, answer, protocol)

        try:
            plan = self._service.plan(update, may_block=False)
        except WouldBlock:
            return Blocking(lambda: finish(self._service.update(update)))
        if plan.is_settled:
            return finish(plan.answer)
        if self._service.may_block:
            return Blocking(lambda: finish(self._service.carry_out(update, plan)))
        return _wait(self._service.begin(update, plan), finish)

    def _list(self, update: UpdateRequest | Response, render: Render, protocol: str) -> Result:
        if isinstance(update, Response):
            return update

        def work() -> Response:
            answer = self._service.list_group(update)
            return _with_outcome(render(answer), update, answer, protocol)

        return Blocking(work)

    def _answer_health(self) -> Response:
        try:
            backlog = self._health()
            known = {} if backlog is None else {"backlog_seconds": backlog}
            return json_response(200, {"status": "ok"} | known)
        except StoreError as error:
            return json_response(503, {"status": "store unavailable"}, culprit=str(error))

    def _has_key(self, request: Request, *, is_awslabs: bool) -> bool:
        key = self._access.api_key
        if key is None or not (is_awslabs or self._access.api_key_paths == "all"):
            return True
        given = request.header("x-api-key") or ""
        return hmac.compare_digest(given.encode("latin-1", "replace"), key.encode())


def _wait(step: Answer | Committing, finish: Callable[[Answer], Response]) -> Response | Waiting:
    if isinstance(step, Committing):
        return Waiting(step.done, lambda: _wait(step.proceed(), finish))
    return finish(step)


def _without_stage(path: str) -> str:
    """Return `/nic/update` for `/prod/nic/update`, and `/` for `/prod`."""
    rest = path[1:].partition("/")[2]
    return "/" + rest


def _wants_json(request: Request) -> bool:
    return any(name == "accept" and "application/json" in value for name, value in request.headers)


def _with_outcome(response: Response, update: UpdateRequest, answer: Answer, protocol: str) -> Response:
    """Add to the access log who asked for what, and what became of it."""
    log: dict[str, object] = {"client": str(update.source), "protocol": protocol}
    if answer.who:
        log["who"] = answer.who
    log["host"] = ",".join([one.hostname or one.text for one in update.updates]) or update.identity or ""
    log["outcome"] = answer.outcome.value
    if addresses := [one.address for host in answer.hosts for one in host.rrsets if one.address]:
        log["address"] = ",".join(dict.fromkeys(addresses))
    if answer.culprit:
        log["culprit"] = answer.culprit
    if answer.note:
        log["note"] = answer.note
    return Response(response.status, response.body, response.content_type, response.headers, log)


def _with_log(response: Response, source: Address, **more: object) -> Response:
    return replace(response, log={"client": str(source), **response.log, **more})
