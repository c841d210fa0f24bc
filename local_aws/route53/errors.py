"""The two ways in which a call of the Route 53 fake does not succeed: an answer that says no, and no answer at all."""

from __future__ import annotations


class ApiError(Exception):
    """The service answers with an error.

    `code` and `messages` are what stands in the XML; a batch can be refused for several reasons at once.
    """

    def __init__(self, code: str, *messages: str, status: int = 400) -> None:
        super().__init__(code, *messages)
        self.code = code
        self.messages = messages
        self.status = status


class Unanswered(Exception):
    """The caller hears nothing: the connection ends without an answer.

    `applied` tells the test, never the caller, whether the request had taken effect.
    """

    def __init__(self, *, applied: bool) -> None:
        super().__init__("the connection ended without an answer")
        self.applied = applied
