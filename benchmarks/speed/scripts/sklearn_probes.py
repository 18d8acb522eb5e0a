"""scikit-learn's loop over logistic probes, two processes of joblib: sys.argv is the folder, and how many to fit exactly.

Reads x.npy [task, sample, hidden], and inputs.npz: labels [task, set, sample], fold [sample], problems [n, 4] of task, set,
fold and the number of C in grid. Rows stay in a file that both processes map, so none is sent to them. Writes outputs.npz:
coef and intercept as timed, and `exact` ones of the first few.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression


def fit(place, task, kept, y, C, tol=1e-4):
    x = np.load(place, mmap_mode="r")[task][kept]
    model = LogisticRegression(C=C, max_iter=5000, tol=tol).fit(x, y)
    return model.coef_[0], model.intercept_[0]


def main():
    folder, n_exact = Path(sys.argv[1]), int(sys.argv[2])
    given = np.load(folder / "inputs.npz")
    labels, fold, grid = (given[name] for name in ("labels", "fold", "grid"))

    def rows(task, labelled, held, c):
        kept = fold != held
        return folder / "x.npy", task, kept, labels[task, labelled][kept], float(grid[c])

    problems = given["problems"].tolist()
    with Parallel(n_jobs=2) as pool:
        pool(delayed(fit)(*rows(*problem)) for problem in problems[:2])  # the processes start
        began = time.perf_counter()
        fitted = pool(delayed(fit)(*rows(*problem)) for problem in problems)
        seconds = time.perf_counter() - began
        exact = pool(delayed(fit)(*rows(*problem), tol=1e-9) for problem in problems[:n_exact])
    coef, intercept = (np.array(part) for part in zip(*fitted, strict=True))
    exact_coef, exact_intercept = (np.array(part) for part in zip(*exact, strict=True))
    np.savez(folder / "outputs.npz", coef=coef, intercept=intercept, exact=exact_coef, exact_intercept=exact_intercept)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
