"""XML that AWS answers with: trees without a document type, and errors. What comes in is not trusted.

The parser is imported where it is used: an update that succeeds needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.aws.errors import NoAnswer, ServiceError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from homing.aws.transport import Reply


def parse_tree(body: bytes) -> Element | None:
    """Return the root, with names freed of their namespace; None for what is no XML, or has a document type."""
    from xml.etree import ElementTree

    try:
        text = body.decode("utf-8")  # so that no other encoding hides the declaration from the line below
        if "<!DOCTYPE" in text:
            return None
        root = ElementTree.fromstring(text)  # noqa: S314 entities need a document type, and there is none
    except (ValueError, ElementTree.ParseError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def parse_error(operation: str, reply: Reply) -> ServiceError | NoAnswer:
    """Return what an answer other than success says.

    Route 53 and SNS answer `<ErrorResponse><Error><Code/><Message/></Error></ErrorResponse>`; a batch that is refused
    may be answered with `<InvalidChangeBatch><Messages><Message/>...</Messages></InvalidChangeBatch>`:
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    root = parse_tree(reply.body)
    code = "" if root is None else root.findtext(".//Code") or ("" if root.tag == "ErrorResponse" else root.tag)
    if root is None or root.tag.lower() == "html":
        code = ""
    if not code and reply.status >= 500:
        return NoAnswer(f"{operation}: HTTP {reply.status} without a verdict", may_have_arrived=True)
    messages = [one.text.strip() for one in root.iter("Message") if one.text] if code and root is not None else []
    return ServiceError(
        code or f"HTTP {reply.status}",
        "; ".join(messages),
        reply.status,
        operation=operation,
        repeated=reply.repeated,
    )
