"""
A stream of rows
================

Learn from rows that come in chunks, forget the old ones, and merge what two machines have learnt.
"""

import matplotlib.pyplot as plt
import numpy as np

from gd_regressor import GDLinearRegressor

rng = np.random.default_rng(0)


def chunk(slope, rows=50):
    """Rows of a sensor: y is about slope * x + 3."""
    x = rng.standard_normal((rows, 1))
    return x, slope * x[:, 0] + 3.0 + rng.standard_normal(rows)


# %%
# Learn
# -----
#
# ``partial_fit`` learns one chunk. The model then fits all rows so far, as if they were
# in one table.

chunks = [chunk(slope=2.0) for _ in range(40)]
stream = GDLinearRegressor()
for X, y in chunks:
    stream.partial_fit(X, y)

X_all = np.vstack([X for X, _ in chunks])
y_all = np.concatenate([y for _, y in chunks])
table = GDLinearRegressor().fit(X_all, y_all)
print(f"stream  {stream.coef_[0]:.12f}")
print(f"table   {table.coef_[0]:.12f}")

# %%
# Forget
# ------
#
# After 40 chunks the sensor changes: the slope falls from 2 to -1. A model of all rows takes long
# to see it. ``forget`` subtracts rows, so a second model can hold the last ten chunks alone.

chunks += [chunk(slope=-1.0) for _ in range(40)]
everything, window = GDLinearRegressor(), GDLinearRegressor()
slopes = []
for i, (X, y) in enumerate(chunks):
    everything.partial_fit(X, y)
    window.partial_fit(X, y)
    if i >= 10:
        window.forget(*chunks[i - 10])
    slopes.append((everything.coef_[0], window.coef_[0]))
slopes = np.array(slopes)
for i in (39, 49, 79):
    print(
        f"after {i + 1} chunks: all rows {slopes[i, 0]:5.2f}, last ten chunks {slopes[i, 1]:5.2f}"
    )

# %%
# Ten chunks after the change the window knows the new slope.

fig, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
seen = np.arange(1, len(chunks) + 1)
ax.step([0, 40, 80], [2, -1, -1], where="post", color="0.6", label="the sensor's slope")
ax.plot(seen, slopes[:, 0], linestyle="--", label="fitted to all rows")
ax.plot(seen, slopes[:, 1], label="fitted to the last ten chunks")
ax.set(xlabel="chunks", ylabel="slope", title="A sensor that changes after 40 chunks")
ax.spines[["top", "right"]].set_visible(False)
ax.legend()

# %%
# Merge
# -----
#
# Two machines learn half of the chunks each. ``merge`` adds one stream to the other.

left, right = GDLinearRegressor(), GDLinearRegressor()
for X, y in chunks[:40]:
    left.partial_fit(X, y)
for X, y in chunks[40:]:
    right.partial_fit(X, y)
left.merge(right)
print("merged equals all rows:", np.allclose(left.coef_, everything.coef_, rtol=1e-12))

# %%
# A stream with a learning rate
# -----------------------------
#
# A number as ``learning_rate`` works on streams, too. Each call then repeats the descent on all
# rows so far. That costs no more with many rows, because the model keeps sums of products instead
# of rows.

textbook = GDLinearRegressor(learning_rate=0.1, max_iter=10, tol=None)
for X, y in chunks[:40]:
    textbook.partial_fit(X, y)
print(f"ten updates of the textbook: {textbook.coef_[0]:.4f}, all the way: {table.coef_[0]:.4f}")

# %%
# Next: :ref:`sphx_glr_auto_gallery_plot_11_momentum.py`
