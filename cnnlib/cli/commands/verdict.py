"""``verdict``: the verdict card of a duel, on the screen or as a web page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.table import write_file
from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import add_command, id_of_run
from cnnlib.cli.store import existing_store

if TYPE_CHECKING:
    import argparse

    from cnnlib.experiments.verdict_card import VerdictCard


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    verdict = add_command(
        commands,
        "verdict",
        show_verdict,
        "show the verdict card of a duel, or write it as a web page",
        description="Who is better, by how much, at what price, how sure this is, and what would "
        "change it. The time for a picture is measured now, on this machine. 'duel --id ID' goes "
        "on with a duel that has no verdict yet; 'experiment list' lists the ids.",
    )
    verdict.add_argument("id", metavar="ID", type=id_of_run, help="id of a duel")
    verdict.add_argument(
        "--output",
        metavar="FILE",
        help="write a page (HTML) with both designs, curves, classes and pictures; a browser "
        "prints it or saves it as PDF",
    )


def show_verdict(args: argparse.Namespace) -> None:
    """Print the card, and write the page of the option."""
    store = existing_store(args.id)
    from cnnlib.experiments.duel import duel_state
    from cnnlib.report.duel_page import duel_card, write_duel_page
    from cnnlib.train.execution.speed import picture_speeds

    duel = duel_state(store, args.id).duel
    card, report = duel_card(store, args.id, picture_speeds([duel.a.spec, duel.b.spec]))
    if args.output:
        write_file(write_duel_page(card, report), args.output)
    if args.json:
        print_json(card)
    else:
        _print(card)
        if args.output:
            print(f"\nWritten to {args.output}.")


def _print(card: VerdictCard) -> None:
    """Print the card as text."""
    from cnnlib.report.duel_page import describe_data, describe_speed, price_rows

    print(
        f"{card.headline}\n{card.sentence}\n{card.recipes}\n"
        f"{card.data.title}: {describe_data(card)}\n"
    )
    print_table(["", f"A: {card.a.name}", f"B: {card.b.name}", "B / A"], price_rows(card))
    print(f"\n{describe_speed(card)}")
    for title, sentences in (("How sure", card.certainty), ("To change it", card.would_change)):
        print(f"\n{title}:")
        for sentence in sentences:
            print(f"- {sentence}")
