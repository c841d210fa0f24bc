"""All steps, in the order in which they are run: the stack is brought from one form to the next, each once."""

from __future__ import annotations

from real_aws import check_endpoints, check_publishing, check_rights, check_stack, check_updates, check_watching

STEPS = (
    *check_stack.BEFORE,
    *check_stack.MAKING,
    *check_updates.STEPS,
    *check_rights.STEPS,
    *check_publishing.STEPS,
    check_stack.TO_STREAM,
    *check_publishing.STREAM_STEPS,
    *check_rights.STREAM_STEPS,
    check_stack.TO_HTTP_API,
    *check_endpoints.HTTP_API_STEPS,
    check_stack.TO_REST_API,
    *check_endpoints.REST_API_STEPS,
    check_stack.TO_CLOUDFRONT,
    *check_endpoints.CLOUDFRONT_STEPS,
    *check_watching.STEPS,
    *check_stack.ENDING,
)
