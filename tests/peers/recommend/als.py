"""Ranks titles with implicit's alternating least squares, on the splits `kinora-server recommend evaluate` wrote.

usage: als.py SPLITS_DIRECTORY OUTPUT.json

For each split the hyperparameters are chosen by NDCG@10 on the validation part. The model is then fitted once
more on all that is not asked for, and that single fit is timed, on one thread.
"""

import csv
import itertools
import json
import os
import sys
import time
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares

DEPTH = 20
FACTORS = (16, 32, 64)
REGULARISATION = (1.0, 5.0, 20.0, 50.0, 100.0)
ALPHA = (1.0, 2.0, 5.0, 10.0, 20.0)
# How much a star above the profile's mean adds to the confidence.
RATING_SLOPE = (0.1, 0.2)


def main(directory, output):
    splits = []
    for path in sorted(Path(directory).glob("split-*.csv"), key=lambda p: int(p.stem.split("-")[1])):
        splits.append(run(path))
    peer = {"name": "implicit ALS, tuned", "splits": splits}
    Path(output).write_text(json.dumps(peer))


def run(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    users = sorted({row["user"] for row in rows})
    items = sorted({row["item"] for row in rows})
    shape = (len(users), len(items))
    user_number = {user: at for at, user in enumerate(users)}
    item_number = {item: at for at, item in enumerate(items)}

    def part(*names):
        chosen = [row for row in rows if row["part"] in names]
        at = [user_number[row["user"]] for row in chosen], [item_number[row["item"]] for row in chosen]
        ratings = np.array([float(row["rating"] or 0) for row in chosen])
        return sparse.csr_matrix((ratings, at), shape=shape)

    fit, validation = part("fit"), part("validation")
    best, best_value = None, -1.0
    grid = [
        {"factors": f, "regularization": r, "alpha": a, "slope": 0.0}
        for f, r, a in itertools.product(FACTORS, REGULARISATION, ALPHA)
    ]
    for settings in grid:
        value = ndcg(train(fit, settings), fit, validation)
        if value > best_value:
            best, best_value = settings, value
    for settings in [{**best, "slope": slope} for slope in RATING_SLOPE]:
        value = ndcg(train(fit, settings), fit, validation)
        if value > best_value:
            best, best_value = settings, value
    print(f"{path.stem}: {best}, NDCG@10 {best_value:.4f} on validation", flush=True)

    everything = part("fit", "validation")
    weights = confidences(everything, best["slope"])
    started, cpu = time.perf_counter(), time.process_time()
    model = train(everything, best, weights)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    ranked = rank(model, everything)
    rankings = {user: [items[item] for item in ranked[at] if item >= 0] for at, user in enumerate(users)}
    return {"settings": best, "seconds": seconds, "cpu_seconds": cpu_seconds, "rankings": rankings}


def confidences(ratings, slope):
    """1 for every rating, and a slope around each profile's mean."""
    weights = sparse.csr_matrix(ratings, copy=True)
    for user in range(weights.shape[0]):
        own = weights.data[weights.indptr[user] : weights.indptr[user + 1]]
        if len(own):
            own[:] = np.maximum(0.1, 1 + slope * (own - own.mean()))
    return weights


def train(ratings, settings, weights=None):
    weights = confidences(ratings, settings["slope"]) if weights is None else weights
    settings = {key: value for key, value in settings.items() if key != "slope"}
    model = AlternatingLeastSquares(random_state=0, num_threads=1, dtype=np.float64, **settings)
    model.fit(weights, show_progress=False)
    return model


def rank(model, seen):
    """The numbers of the best titles for each user, those seen left out, -1 where there are too few."""
    scores = model.user_factors @ model.item_factors.T
    scores[seen.nonzero()] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    order[np.take_along_axis(scores, order, 1) == -np.inf] = -1
    return order


def ndcg(model, seen, wanted):
    ranked = rank(model, seen)[:, :10]
    gains = 1 / np.log2(np.arange(2, 12))
    most = np.concatenate([[0], np.cumsum(gains)])
    values = []
    for user in range(wanted.shape[0]):
        own = wanted.indices[wanted.indptr[user] : wanted.indptr[user + 1]]
        if len(own) and seen.indptr[user + 1] > seen.indptr[user]:
            values.append(gains[np.isin(ranked[user], own)].sum() / most[min(10, len(own))])
    return float(np.mean(values))


if __name__ == "__main__":
    main(*sys.argv[1:])
