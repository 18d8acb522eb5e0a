"""concept-erasure's LEACE, streamed in batches: sys.argv is the folder and the rows of a batch.

Reads inputs.npz: x [sample, hidden], y [sample]. Writes outputs.npz: `project` [hidden, hidden] and `bias`, what its eraser
makes of the identity and of zero, in the precision of x.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from concept_erasure import LeaceFitter


def main():
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    given = np.load(folder / "inputs.npz")
    x, y = torch.from_numpy(given["x"]), torch.from_numpy(given["y"]).to(torch.int64)

    def fit():
        # Shrinkage off: both sides erase the same covariance.
        fitter = LeaceFitter(x.shape[1], 1, dtype=x.dtype, shrinkage=False)
        for start in range(0, len(x), step):
            fitter.update(x[start : start + step], y[start : start + step])
        return fitter.eraser

    fit()
    began = time.perf_counter()
    eraser = fit()
    seconds = time.perf_counter() - began
    probe = torch.eye(x.shape[1], dtype=x.dtype)[:64]
    np.savez(folder / "outputs.npz", of_eye=eraser(probe), of_zero=eraser(torch.zeros_like(probe[:1])))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
