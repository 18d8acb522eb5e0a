"""Constraints of one's own: a function of a text becomes a constraint like the built-in ones. Knows none of those.

@constraint("custom/no_semicolons")
def no_semicolons(text: str, limit: int = 0) -> bool:
    "at most {limit} semicolons"
    return text.count(";") <= limit

no_semicolons(limit=2).check("Fine; really; fine.").passed
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from pydantic import create_model

from heedful.constraints.base import Constraint, register_constraint
from heedful.constraints.verdict import Verdict
from heedful.errors import HeedfulError, InputError


class FunctionConstraint(Constraint):
    """A constraint whose verifier is a user's function of the text and the fields."""

    function: ClassVar[Callable[..., bool | Verdict]]
    summary: ClassVar[str]

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}

    def describe(self) -> str:
        text = self.summary
        for name, value in self._fields().items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def _verify(self, text: str) -> Verdict:
        try:
            found = type(self).function(text, **self._fields())
            # A comparison of arrays gives their library's own kind of bool, which knows how to become a plain one.
            found = found.item() if hasattr(found, "item") else found
        except HeedfulError:
            raise
        except Exception as error:  # a user's code may fail in any way, and the other constraints still have their say
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}, line {last.lineno}"
            return self._undecided(
                f"the constraint itself failed: {type(error).__name__}: {error} ({place})", error=True
            )
        if isinstance(found, Verdict):
            return found.model_copy(update={"constraint": self.id, "expected": found.expected or self.describe()})
        if not isinstance(found, bool):
            return self._undecided(f"the constraint gave {found!r} where True, False or a Verdict is due", error=True)
        reason = f"{'complies' if found else 'does not comply'}: {self.describe()}"
        return self._verdict(
            found, score=float(found), measured=found, reason=reason, hint=f"see to it: {self.describe()}"
        )


def constraint(id: str) -> Callable[[Callable[..., bool | Verdict]], type[FunctionConstraint]]:
    """Make and register a constraint from a function.

    The function takes the text, then the constraint's fields as annotated parameters; it returns True, False or a
    `Verdict` (whose `constraint` and `expected` may be left out). Its docstring's first line says in plain words what
    is asked, with {field} for a field's value. The decorated name becomes the constraint class.

    Args:
        id: 'family/name', not yet taken.

    Raises:
        InputError: the id is missing, malformed or taken, or the function has no text parameter or a field without a type.
    """
    if not isinstance(id, str):
        name = getattr(id, "__name__", "name")
        raise InputError("@constraint needs the id of the constraint", f'write @constraint("custom/{name}")')

    def decorate(function: Callable[..., bool | Verdict]) -> type[FunctionConstraint]:
        name = function.__name__
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters or any(
            p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in parameters[1:]
        ):
            raise InputError(
                f"the function {name!r} cannot be a constraint",
                "let it take the text first, then each field as a named parameter: def f(text: str, limit: int = 0)",
            )
        hints = get_type_hints(function)
        fields: dict[str, Any] = {}
        for field in parameters[1:]:
            if hasattr(FunctionConstraint, field.name) or field.name.startswith("_") or field.name == "id":
                raise InputError(f"a field of the constraint {id!r} cannot be called {field.name!r}", "rename it")
            if field.name not in hints:
                raise InputError(
                    f"the field {field.name!r} of the constraint {id!r} has no type",
                    f"annotate it, for example {field.name}: int",
                )
            fields[field.name] = (hints[field.name], ... if field.default is field.empty else field.default)
        made = create_model(name, __base__=FunctionConstraint, __module__=function.__module__, **fields)
        made.id = id
        made.function = staticmethod(function)
        made.__doc__ = inspect.getdoc(function) or name.replace("_", " ")
        made.summary = made.__doc__.splitlines()[0]
        made.__qualname__ = function.__qualname__
        return register_constraint(made)

    return decorate


def load_plugin(name: str | Path) -> None:
    """Run a user's Python file ('rules.py') or import a module ('mypackage.rules') that defines constraints.

    This executes the user's code, with all that it may do.

    Raises:
        InputError: it does not exist, or fails while it runs; an `InputError` of its own passes unchanged.
    """
    path = Path(name)
    try:
        if path.suffix != ".py":
            importlib.import_module(str(name))
            return
        spec = importlib.util.spec_from_file_location(f"heedful_plugin_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # so that the annotations in it can be resolved
        spec.loader.exec_module(module)
    except HeedfulError:
        raise
    except (Exception, SystemExit) as error:  # whoever leaves from within would leave everything unchecked
        raise InputError(
            f"cannot load the plugin {name}: {type(error).__name__}: {error}",
            "give a Python file that runs by itself, or the name of a module that can be imported",
        ) from error
