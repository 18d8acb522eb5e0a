"""Where in the model: finding the residual stream in any decoder, naming its sites, looking at it and changing it as it flows.

Sites: 'embed' is the input of the first block (after any scaling or position embedding; `hidden_states[0]`);
'block.7.out' is the output of the eighth block. The last block's output is *before* the final norm, unlike
`hidden_states[-1]`. Knows nothing of tokens, batches or positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heedful.errors import InputError, ModelError

EMBED = "embed"

OnHidden = Callable[[str, Float[Tensor, "sample token hidden"]], None]
Change = Callable[[Float[Tensor, "sample token hidden"]], Float[Tensor, "sample token hidden"]]


class _Enough(Exception):  # noqa: N818 - control flow, not an error
    """Every wanted site has been seen: the rest of the forward pass is not needed."""


def find_blocks(model: Any) -> nn.ModuleList:
    """The decoder's blocks, in order, whatever the architecture calls them.

    They are the outermost `ModuleList` with as many entries as the configuration has hidden layers, in the part of the
    model that decodes text.

    Raises:
        ModelError: there is none.
    """
    count = model.config.get_text_config(decoder=True).num_hidden_layers
    found = [
        (name.count("."), name, module)
        for name, module in model.get_decoder().named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not found:
        raise ModelError(
            f"no list of {count} blocks was found in {type(model).__name__}, so its residual stream cannot be read",
            "use a decoder-only model built of a list of blocks (Llama, Qwen, Gemma, Mistral, Phi, GPT-2, …)",
        )
    return min(found, key=lambda entry: entry[:2])[2]


def site_names(n_blocks: int) -> tuple[str, ...]:
    """Every site of a model with that many blocks, from the bottom up."""
    return (EMBED, *(f"block.{index}.out" for index in range(n_blocks)))


def check_sites(sites: Sequence[str], known: Sequence[str]) -> None:
    """Raises `InputError` if a site is unknown or named twice."""
    for site in sites:
        if site not in known:
            raise InputError(f"unknown site {site!r}", f"this model's sites are: {known[0]}, {known[1]} … {known[-1]}")
    if len(set(sites)) < len(sites):
        raise InputError(f"a site is named twice: {', '.join(sites)}", "name each site once")


@contextmanager
def watching(blocks: nn.ModuleList, sites: Sequence[str], on_hidden: OnHidden, *, stop: bool) -> Iterator[None]:
    """Within it, each forward pass shows `on_hidden` the residual stream at the sites, whole, on its own device.

    Args:
        blocks: as `find_blocks` gives them.
        sites: names out of `site_names(len(blocks))`.
        on_hidden: called with a site's name and its hidden states; must copy what it keeps.
        stop: end the forward pass, and with it the `with` block, once the topmost site has been seen.

    The hooks are gone when the block is left, however it is left.
    """
    wanted = [site for site in site_names(len(blocks)) if site in sites]

    def seen(site: str, hidden: Tensor) -> None:
        on_hidden(site, hidden)
        if stop and site == wanted[-1]:
            raise _Enough

    try:
        with _hooked(blocks, wanted, seen), torch.no_grad():
            yield
    except _Enough:
        pass


@contextmanager
def changing(blocks: nn.ModuleList, changes: Mapping[str, Change]) -> Iterator[None]:
    """Within it, each forward pass goes on with the residual stream as `changes` leave it at their sites.

    Args:
        blocks: as `find_blocks` gives them.
        changes: site → what becomes of its hidden states, on their device; back in their own dtype after it.

    What is watched inside it is seen as changed. The hooks are gone when the block is left, however it is left.
    """
    check_sites(list(changes), site_names(len(blocks)))

    def changed(site: str, hidden: Tensor) -> Tensor:
        after = changes[site](hidden)
        if after.shape != hidden.shape:
            raise InputError(
                f"the change at {site} made {list(after.shape)} of hidden states {list(hidden.shape)}",
                "a change keeps the shape [sample, token, hidden]",
            )
        return after.to(hidden.dtype)

    with _hooked(blocks, list(changes), changed):
        yield


@contextmanager
def _hooked(
    blocks: nn.ModuleList, sites: Sequence[str], on_hidden: Callable[[str, Tensor], Tensor | None]
) -> Iterator[None]:
    """Hooks that show the residual stream at the sites, and put in its place what they are given back, if anything."""

    def before_first(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
        after = on_hidden(EMBED, args[0] if args else kwargs["hidden_states"])
        if after is None:
            return None
        return ((after, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": after})

    def after_block(site: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
            # Blocks return a tensor in transformers 5, and a tuple that begins with it before.
            alone = isinstance(output, Tensor)
            after = on_hidden(site, output if alone else output[0])
            return after if after is None or alone else (after, *output[1:])

        return hook

    handles = []
    try:
        for site in sites:
            if site == EMBED:
                handles.append(blocks[0].register_forward_pre_hook(before_first, with_kwargs=True))
            else:
                handles.append(blocks[int(site.split(".")[1])].register_forward_hook(after_block(site)))
        yield
    finally:
        for handle in handles:
            handle.remove()
