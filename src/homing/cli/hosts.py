"""homing host: make, change, lock, rotate and remove hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from homing.cli.host_view import describe, rfc3339, state
from homing.cli.options import Hostname, desk, json_option, print_fields, print_json, print_table, store_options
from homing.cli.recipes import recipes
from homing.core.addresses import (
    interface_identifier_from_mac,
    parse_interface_identifier,
    parse_mac,
    render_interface_identifier,
)
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.hosts import RECORD_TYPES
from homing.core.names import to_unicode

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.cli.options import Place
    from homing.core.hosts import Host, RecordType
    from homing.core.names import Name


@click.group()
def host() -> None:
    """Make, change, lock, rotate and remove hosts.

    \b
    Example:
      homing host add cam.home.example
      homing host set cam.home.example --ttl 30 --allow-internal
    """


def _types(value: str) -> tuple[RecordType, ...]:
    return RECORD_TYPES if value == "both" else tuple(one for one in RECORD_TYPES if one == value)


type_option = click.option(
    "--type",
    "types",
    type=click.Choice(["A", "AAAA", "both"]),
    default="both",
    callback=lambda _ctx, _param, value: _types(value),
    help="Which address families.",
)


def _mac(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return parse_mac(value) if value else value
    except InvalidAddress as error:
        raise click.BadParameter(str(error)) from None


def _identifier(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Take `::1:2:3:4`, or a MAC address, whose EUI-64 is meant (RFC 4291 appendix A)."""
    if not value:
        return value
    try:
        return render_interface_identifier(interface_identifier_from_mac(parse_mac(value)))
    except InvalidAddress:
        pass
    try:
        return render_interface_identifier(parse_interface_identifier(value))
    except InvalidAddress as error:
        raise click.BadParameter(str(error)) from None


def _policy_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--ttl", type=click.IntRange(1, 604_800), help="TTL in seconds."),
            click.option(
                "--allow-internal/--no-allow-internal",
                default=None,
                help="May hold an address that is not global, or not the requester's own.",
            ),
            click.option("--allow-offline/--no-allow-offline", default=None, help="offline=YES may withdraw it."),
            click.option(
                "--read-privilege/--no-read-privilege", default=None, help="May list its group, and be listed."
            ),
            click.option(
                "--require-signed/--no-require-signed", "signed_only", default=None, help="Refuses hash and token."
            ),
            click.option("--mac-address", callback=_mac, help="For network discovery."),
            click.option(
                "--interface-identifier",
                callback=_identifier,
                help="The low half of its IPv6 addresses, or a MAC address to make it of.",
            ),
            click.option("--comment", help="For people."),
        ]
    ):
        command = option(command)
    return command


@host.command("add")
@click.argument("name", type=Hostname())
@click.option("--group", help="Hosts of one group share a secret, and list each other.")
@type_option
@_policy_options
@store_options
@json_option
def add(
    name: Name, group: str | None, types: tuple[RecordType, ...], place: Place,
    as_json: bool, **policy: Any,
) -> None:  # fmt: skip
    """Make a host; print its secret once, and lines to paste.

    \b
    Example:
      homing host add cam.home.example
      homing host add nas.home.example --group home --mac-address 00:11:22:33:44:55
      homing host add cam.home.example --stack homing
    """
    with desk(place, may_create=True) as opened:
        if policy["signed_only"] is None:
            policy["signed_only"] = place.settings.require_signed or None
        hosts = opened.administration.add_host(name, types, group, **policy)
    secret = hosts[0].shared_secret
    if as_json:
        print_json({"hostname": name, "record_types": [one.record_type for one in hosts], "shared_secret": secret})
        return
    click.echo(f"{name.rstrip('.')} is a host now. Its secret, shown this once:\n\n  {secret}\n")
    shown = name.rstrip(".")
    if opened.endpoint is not None:  # a stack is never reached from an address that is not global
        click.echo(recipes(shown, secret, opened.endpoint, is_internal=True).rstrip())
    else:
        click.echo(recipes(shown, secret, is_internal=bool(policy["allow_internal"])))


@host.command("list")
@store_options
@json_option
def list_(place: Place, as_json: bool) -> None:
    """List every host.

    \b
    Example:
      homing host list --json | jq -r '.[].hostname'
    """
    with desk(place) as opened:
        hosts = list(opened.administration.hosts())
    if as_json:
        print_json([describe(one) for one in hosts])
        return
    rows = [
        (
            to_unicode(one.hostname).rstrip("."),
            one.record_type,
            one.ip_address or "-",
            state(one),
            rfc3339(one.last_updated) or "-",
        )
        for one in hosts
    ]
    print_table(("NAME", "TYPE", "ADDRESS", "STATE", "UPDATED"), rows)


@host.command("show")
@click.argument("name", type=Hostname())
@click.option("--secret", "with_secret", is_flag=True, help="Show the shared secret too.")
@store_options
@json_option
def show(name: Name, with_secret: bool, place: Place, as_json: bool) -> None:
    """Show everything about a host.

    \b
    Example:
      homing host show cam.home.example
    """
    with desk(place) as opened:
        hosts = opened.administration.find_host(name)
    shown = [describe(one) | ({"shared_secret": one.shared_secret} if with_secret else {}) for one in hosts]
    if as_json:
        print_json(shown)
        return
    for fields in shown:
        print_fields(fields)
        click.echo()


@host.command("set")
@click.argument("name", type=Hostname())
@type_option
@_policy_options
@store_options
@json_option
def set_(name: Name, types: tuple[RecordType, ...], place: Place, as_json: bool, **policy: Any) -> None:
    """Change what a host may do; a new TTL shows in DNS at once.

    \b
    Example:
      homing host set cam.home.example --ttl 30 --allow-internal
    """
    changes = {key: value for key, value in policy.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change is named")
    _change(name, place, as_json, "changed", lambda desk: desk.set_host(name, types, **changes))


@host.command("lock")
@click.argument("name", type=Hostname())
@store_options
@json_option
def lock(name: Name, place: Place, as_json: bool) -> None:
    """Refuse every change of a host until it is unlocked."""
    _change(name, place, as_json, "locked", lambda desk: desk.set_host(name, lock_record=True))


@host.command("unlock")
@click.argument("name", type=Hostname())
@store_options
@json_option
def unlock(name: Name, place: Place, as_json: bool) -> None:
    """Let a locked host change again."""
    _change(name, place, as_json, "unlocked", lambda desk: desk.set_host(name, lock_record=False))


@host.command("rotate")
@click.argument("name", type=Hostname())
@click.option(
    "--overlap", help="How long the old secret works on: 0, 90, 12h, 7d. The setting rotation_overlap if unset."
)
@store_options
@json_option
def rotate(name: Name, overlap: str | None, place: Place, as_json: bool) -> None:
    """Give a host, and its whole group, a new secret. The old one works on for a while.

    \b
    Example:
      homing host rotate cam.home.example --overlap 2d
    """
    from homing.settings.values import seconds

    try:
        until = seconds(0, 365 * 86_400)(overlap) if overlap else None
    except InvalidInput:
        raise click.BadParameter("expected a time such as 90, 12h, 7d or 2w", param_hint="--overlap") from None
    if until is None:
        until = place.settings.rotation_overlap
    with desk(place) as opened:
        hosts = opened.administration.rotate(name, until)
    secret = hosts[0].shared_secret
    names = list(dict.fromkeys(one.hostname for one in hosts))
    if as_json:
        print_json({"hostnames": names, "shared_secret": secret, "old_secret_works_for_seconds": until})
        return
    click.echo(f"The new secret of {', '.join(one.rstrip('.') for one in names)}, shown this once:\n\n  {secret}\n")
    click.echo(f"The old one works on for {until} seconds." if until else "The old one works no longer.")


@host.command("remove")
@click.argument("name", type=Hostname())
@type_option
@store_options
@json_option
def remove(name: Name, types: tuple[RecordType, ...], place: Place, as_json: bool) -> None:
    """Take a host out of DNS. For 30 days no old ddupdate token can take its name."""
    _change(name, place, as_json, "removed", lambda desk: desk.remove_host(name, types))


def _change(
    name: Name,
    place: Place,
    as_json: bool,
    word: str,
    change: Callable[[Any], list[Host]],
) -> None:
    with desk(place) as opened:
        hosts = change(opened.administration)
    if as_json:
        print_json([describe(one) for one in hosts])
    else:
        click.echo(f"{name.rstrip('.')} {'+'.join(one.record_type for one in hosts)} {word}")
