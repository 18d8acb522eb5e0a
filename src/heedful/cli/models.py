"""`heedful models`: the models that come with the package."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the embedded models, with what their cards say. Any causal LM of the hub, or a folder, works as well."""
    from heedful.models.catalogue import embedded_models

    cards = embedded_models()
    if as_json:
        typer.echo(json.dumps({"models": [{"name": card.name, **card.about} for card in cards]}, ensure_ascii=False))
        return
    for card in cards:
        typer.echo(f"{card.name}\n  {card.about.get('summary', '')}")
        for line in card.about.get("facts", []):
            typer.echo(f"  · {line}")
    typer.echo("\nUse a name wherever a model is asked for: heedful study NAME")
