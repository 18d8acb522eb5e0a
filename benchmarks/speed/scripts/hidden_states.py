"""Hidden states by nnsight or TransformerLens: sys.argv is the folder, the library and the number of passes.

The folder holds a model, and batches.npz: for batch i, ids{i} and mask{i} [sample, token], at{i} [position, sample]. Each
pass takes the output of every block at those tokens. Writes outputs.npz, what the first batch gave, [site, position, sample,
hidden]; prints the seconds of each pass.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM


def nnsight_reader(model):
    from nnsight import NNsight

    wrapped = NNsight(model)
    layers = wrapped.model.layers

    def read(ids, mask, at):
        rows = torch.arange(len(ids))
        with wrapped.trace(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=1):
            saved = list().save()  # noqa: C408 - nnsight gives `save` to calls, not to displays
            for layer in layers:
                saved.append(layer.output[rows, at])
        return torch.stack(list(saved))

    return read


def lens_reader(model, folder):
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, device="cpu")
    names = [f"blocks.{i}.hook_out" for i in range(model.config.num_hidden_layers)]

    def read(ids, mask, at):
        rows = torch.arange(len(ids))
        wanted = {"names_filter": lambda name: name in names, "logits_to_keep": 1}
        _, cache = bridge.run_with_cache(ids, attention_mask=mask, **wanted)
        return torch.stack([cache[name][rows, at] for name in names])

    return read


def main():
    folder, library, passes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    given = np.load(folder / "batches.npz")
    batches = [
        [torch.from_numpy(given[f"{part}{i}"]) for part in ("ids", "mask", "at")] for i in range(len(given) // 3)
    ]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    read = nnsight_reader(model) if library == "nnsight" else lens_reader(model, folder)
    with torch.no_grad():
        first = read(*batches[0])
        seconds = []
        for _ in range(passes):
            began = time.perf_counter()
            for batch in batches:
                read(*batch)
            seconds.append(time.perf_counter() - began)
    np.savez(folder / "outputs.npz", first=first.float().numpy())
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
