"""A command that refuses a flag's second value where the first would be lost."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class OnceEach(TyperCommand):
    """`--topic tea --topic coffee` is an error, where the parser would keep the last; repeatable flags and switches are not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Parsed once more than needed, for the order in which parameters came: it names each as often as it was given.
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.params:
            takes_one = (
                parameter.param_type_name == "option"
                and not parameter.multiple
                and not getattr(parameter, "is_flag", False)
            )
            if takes_one and given.count(parameter) > 1:
                ctx.fail(f"{parameter.opts[0]} is given more than once, and takes one value")
        return super().parse_args(ctx, args)
