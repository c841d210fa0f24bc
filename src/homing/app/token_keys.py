"""The secret behind ddupdate tokens, taken over from the server that gave them out: then every token works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.accounts import TokenKey
from homing.core.credentials import is_same_secret
from homing.core.errors import Conflict, Refused
from homing.core.rows import ABSENT, Commit, token_key_key

if TYPE_CHECKING:
    from homing.app.ports import Store


def take_token_key(store: Store, secret: str) -> None:
    """Keep `secret` as the key of all tokens.

    Raises Refused for an empty one, and where tokens are made with another key already: they would end without a word.
    """
    if not secret:
        raise Refused("the server's secret is empty")
    row = store.load([token_key_key()]).get(token_key_key())
    if isinstance(row, TokenKey) and is_same_secret(row.secret, secret):
        return
    if row is not None:
        raise Refused("tokens are made with another secret here already, and each that was given out would end")
    try:
        store.commit(Commit((TokenKey(version=1, secret=secret),), {token_key_key(): ABSENT}))
    except Conflict:
        raise Refused("another command has just made the secret of tokens") from None
