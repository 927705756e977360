"""Losses, schedules, mini-batches and early stopping of the command."""

import joblib
import numpy as np
import pytest
from commands import built, fit, numbers, refusal
from sklearn.linear_model import HuberRegressor, QuantileRegressor
from sklearn.preprocessing import scale
from test_command_pictures import drawn as drawn  # a fixture

from gd_regressor import (
    Adaptive,
    Constant,
    Cosine,
    EpsilonInsensitive,
    GDLinearRegressor,
    Huber,
    InverseScaling,
    PseudoHuber,
    Quantile,
    SquaredEpsilonInsensitive,
    StepDecay,
)
from gd_regressor.command import parquet
from gd_regressor.command.peers import Judge
from gd_regressor.command.report import descent_of

TABLE = built()
X, Y = np.column_stack([TABLE["engine_size"], TABLE["weight"]]), TABLE["price"]
PRICE = "--target", "price", "--no-compare"
STEPS = *PRICE, "--standardize", "--learning-rate", "0.05", "--max-iter", "9", "--tol", "none"


def fitted(run, cars, tmp_path, *options):
    """The report of a fit, and the estimator that it saved."""
    file = tmp_path / "model.joblib"
    report = fit(run, cars, *options, "--save", file)
    return report, descent_of(joblib.load(file))


def assert_same(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.loss_curve_, other.loss_curve_)


# --- What is fitted ---


@pytest.mark.parametrize("standardize", [[], ["--standardize"]])
@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_quantile_is_the_vertex_in_both_units(run, cars, standardize, q):
    report = fit(run, cars, *PRICE, "--quantile", q, *standardize)
    assert f"Loss        pinball loss of quantile {q:g}\n" in report
    peer = QuantileRegressor(quantile=q, alpha=0).fit(X, Y)
    left = Y - peer.predict(X)
    pinball = np.mean(np.maximum(q * left, (q - 1) * left))
    said = numbers(report, "at the end (1 update)")
    assert said == pytest.approx([pinball, pinball / Y.std()], rel=1e-5)
    assert numbers(report, "engine_size")[0] == pytest.approx(peer.coef_[0], rel=1e-5)
    assert "Loss (mean pinball loss)  original units" in report
    word = fit(run, cars, *PRICE, "--loss", "quantile", "--quantile", q, *standardize)
    assert word == report


def test_huber_names_scale_and_outliers_and_stands_beside_its_peer(run, cars):
    report = fit(run, cars, "--target", "price", "--loss", "huber", "--standardize")
    Z, z = scale(X), scale(Y)
    peer = HuberRegressor(alpha=0, max_iter=1000, tol=1e-8).fit(Z, z)
    n_outliers = np.count_nonzero(np.abs(z - peer.predict(Z)) > 1.35 * peer.scale_)
    assert f"scale {peer.scale_:.4g}; {n_outliers:,} rows are outliers" in report
    table = report[report.index("Beside other estimators") :]
    losses = [float(line.split()[-4].replace(",", "")) for line in table.splitlines()[1:4]]
    mine = numbers(report, f"at the end ({report.split('at the end (')[1].split(')')[0]})")[0]
    assert losses[0] == pytest.approx(mine, rel=1e-5)
    assert losses[0] <= losses[1] <= losses[0] * (1 + 1e-4)  # HuberRegressor
    assert losses[0] < losses[2]  # LinearRegression
    assert "Training loss: mean Huber loss in original units." in " ".join(table.split())


def test_a_judge_has_the_scale_that_makes_the_loss_least():
    left = np.array([-3.0, 0.1, 0.4, -0.2, 7.0, 0.0])
    scales = np.geomspace(1e-3, 10, 200_001)[:, None]
    inner = np.minimum(np.abs(left / scales), 1.35)
    huber = inner * (2 * np.abs(left / scales) - inner)
    least = (scales[:, 0] + scales[:, 0] * huber.mean(axis=1)).min()
    assert Judge("huber")(left) == pytest.approx(least, rel=1e-8)
    assert Judge("huber")(left) <= least * (1 + 1e-12)
    assert Judge("huber", 5.0)(5 * left) == pytest.approx(5 * least, rel=1e-8)
    assert Judge("huber")(np.zeros(3)) == 0
    assert Judge("squared_error")(left) == np.mean(left**2)
    assert Judge(Quantile(0.9), 2.0)(left) == pytest.approx(Judge(Quantile(0.9))(left))


SCHEDULES = {
    "constant": Constant(0.05),
    "inverse-scaling": InverseScaling(0.05),
    "cosine": Cosine(0.05, 9),
    "step_decay": StepDecay(0.05),
    "Adaptive": Adaptive(0.05),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("size", [None, 16, 0.25])
def test_schedules_and_batches_are_those_of_the_estimator(run, cars, tmp_path, name, size):
    batches = [] if size is None else ["--batch-size", size]
    report, model = fitted(run, cars, tmp_path, *STEPS, "--schedule", name, *batches)
    other = GDLinearRegressor(SCHEDULES[name], 9, None, batch_size=size, random_state=0)
    assert_same(model, other.fit(scale(X), scale(Y)))
    assert ("Epochs      9 of at most 9" in report) == (size is not None)
    assert f"at the end (9 {'updates' if size is None else 'epochs'})" in report
    batches = {None: "", 16: "batches of 16 rows", 0.25: "batches of 25 % of the rows"}[size]
    assert batches in report
    assert type(SCHEDULES[name]).__name__ in report


def test_batches_end_by_a_tolerance_of_their_own(run, cars, tmp_path):
    options = *PRICE, "--standardize", "--learning-rate", "0.05", "--batch-size", "16"
    report, model = fitted(run, cars, tmp_path, *options)
    other = GDLinearRegressor(0.05, batch_size=16, random_state=0).fit(scale(X), scale(Y))
    assert_same(model, other)
    assert "--tol 0.001" in report and "the loss has settled" in " ".join(report.split())
    again = fitted(run, cars, tmp_path, *options, "--tol", "1e-2")[1]
    assert again.n_iter_ < model.n_iter_ < 100


def test_rates_that_fall_are_named_as_the_shell_names_them(run, cars):
    status, report, err = run(cars, *PRICE, "--learning-rate", "0.1", "--quantile", "0.5")
    assert status == 0 and "let the rates fall (--schedule inverse_scaling)" in err
    assert "InverseScaling" not in report + err


def test_a_cosine_runs_to_its_end_unless_told_otherwise(run, cars, tmp_path):
    options = *STEPS[:-2], "--schedule", "cosine", "--batch-size", "16"
    assert fitted(run, cars, tmp_path, *options)[1].n_iter_ == 9
    assert fitted(run, cars, tmp_path, *options, "--tol", "10")[1].n_iter_ < 9


def test_early_stopping_goes_with_batches(run, cars, tmp_path):
    options = {"batch_size": 16, "early_stopping": True, "random_state": 0}
    other = GDLinearRegressor(0.05, 9, None, **options).fit(scale(X), scale(Y))
    shell = "--batch-size", "16", "--early-stopping"
    report, model = fitted(run, cars, tmp_path, *STEPS, *shell)
    assert_same(model, other)
    assert f"at the end ({other.n_iter_} epoch" in report


@pytest.mark.parametrize("loss", ["pseudo-huber", "squared_epsilon_insensitive"])
def test_losses_descend_at_a_number(run, cars, tmp_path, loss):
    report, model = fitted(run, cars, tmp_path, *STEPS, "--loss", loss)
    other = GDLinearRegressor(0.05, 9, None, loss=loss.replace("-", "_"))
    assert_same(model, other.fit(scale(X), scale(Y)))
    end = numbers(report, "at the end (9 updates)")
    assert end[0] == pytest.approx(end[1] * Y.var(), rel=1e-4)


EDGES = {
    "--delta": ("Huber loss with delta 0.5", Huber(0.5)),
    "--loss pseudo-huber --delta": ("pseudo-Huber loss with delta 0.5", PseudoHuber(0.5)),
    "--epsilon": ("epsilon-insensitive loss with epsilon 0.5", EpsilonInsensitive(0.5)),
    "--loss squared_epsilon_insensitive --epsilon": (
        "squared epsilon-insensitive loss with epsilon 0.5",
        SquaredEpsilonInsensitive(0.5),
    ),
}


@pytest.mark.parametrize("options", EDGES)
def test_edges_are_those_of_the_loss_as_it_is_fitted(run, cars, tmp_path, options):
    words, loss = EDGES[options]
    report, model = fitted(run, cars, tmp_path, *PRICE, "--standardize", *options.split(), 0.5)
    assert_same(model, GDLinearRegressor(loss=loss).fit(scale(X), scale(Y)))
    assert f"Loss        {words}\n" in report


@pytest.mark.parametrize("options", ["--delta 0.5", "--epsilon 0.5"])
def test_a_loss_with_an_edge_stands_beside_its_peer(run, cars, options):
    report = fit(run, cars, "--target", "price", "--standardize", *options.split())
    assert " SGDRegressor(loss=" in report
    table = report[report.index("Beside other estimators") :].splitlines()
    mine, peer = (float(table[k].split()[-4].replace(",", "")) for k in (1, 2))
    assert mine <= peer <= 1.05 * mine


def test_a_saved_quantile_predicts(run, cars, tmp_path):
    pytest.importorskip("skops")
    model = tmp_path / "model.skops"
    fit(run, cars, *PRICE, "--quantile", "0.9", "--save", model)
    status, out, err = run(cars, "--predict", model)
    assert (status, err) == (0, "")
    predicted = np.array([float(line) for line in out.splitlines()[1:]])
    np.testing.assert_allclose(
        predicted, GDLinearRegressor(loss=Quantile(0.9)).fit(X, Y).predict(X)
    )


# --- What is drawn ---


def test_the_loss_curve_names_its_loss_and_its_epochs(run, cars, tmp_path, drawn):
    picture = "--plot", tmp_path / "a.png"
    fit(run, cars, *STEPS, "--batch-size", "16", *picture)
    fit(run, cars, *PRICE, "--loss", "huber", *picture)
    axes = [figure.axes[0] for figure in drawn]
    assert [ax.get_xlabel() for ax in axes] == ["epochs", "updates"]
    assert [ax.get_ylabel() for ax in axes] == ["mean squared error", "mean Huber loss"]
    assert "batches of 16" in drawn[0].get_suptitle()
    assert "Huber loss" in drawn[1].get_suptitle()


@pytest.mark.parametrize("options", [["--quantile", "0.9"], [*STEPS[3:], "--batch-size", "16"]])
def test_the_fit_is_drawn_at_its_end(run, cars, tmp_path, drawn, options):
    options = *PRICE, "--features", "engine_size", *options
    report = fit(run, cars, *options, "--plot", "fit", tmp_path / "a.png")
    ax = drawn[0].axes[0]
    (line,) = ax.lines
    slope = np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0]
    assert slope == pytest.approx(numbers(report, "engine_size")[0], rel=1e-4)


# --- What is refused ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--loss hubert", "--loss must be one of squared_error, huber, pseudo_huber, quantile"),
        ("--quantile 2", "--quantile must be between 0 and 1, got 2"),
        ("--quantile nan", "--quantile must be between 0 and 1, got nan"),
        ("--loss huber --quantile 0.5", "--quantile 0.5 belongs to --loss quantile, got --loss hu"),
        (
            "--loss quantile --delta 1",
            "--delta 1 belongs to --loss huber or pseudo_huber, got --loss quantile; leave one of",
        ),
        ("--loss squared_error --delta 1", "pseudo_huber, got --loss squared_error; leave one of"),
        ("--epsilon 0.1 --delta 1", "--delta 1 and --epsilon 0.1 belong to different losses"),
        ("--loss huber --epsilon 0", "--epsilon 0 belongs to --loss epsilon_insensitive or square"),
        ("--delta 0", "--delta must be above 0 and at most 1e+150, got 0"),
        ("--delta nan", "--delta must be above 0 and at most 1e+150, got nan"),
        ("--epsilon -1", "--epsilon must be 0 or above and at most 1e+150, got -1"),
        (
            "--loss huber --learning-rate 0.1",
            "beside the coefficients; write --learning-rate auto, or a delta of your own: --delta",
        ),
        (
            "--loss huber --alpha 0.1",
            "know penalties of squares alone; write --l1-ratio 0",
        ),
        ("--loss huber --positive", "leave --positive out"),
        ("--schedule cosine", "--schedule cosine needs a first rate; write --learning-rate NUMBER"),
        ("--schedule cosin --learning-rate 1", "--schedule must be one of constant, inverse_scal"),
        ("--batch-size many", "--batch-size must be a number of rows or a share of them, got 'man"),
        ("--batch-size 0 --learning-rate 1", "--batch-size must be an integer >= 1 or a fraction"),
        ("--cv 5 --loss huber", "--cv compares plain descents on the squared loss, and not --loss"),
        ("--cv 5 --batch-size 8", "and not --batch-size 8; leave --batch-size out, or write one"),
        ("--cv 5 --schedule cosine --learning-rate 1", "and not --schedule cosine"),
        ("--loss huber --plot rates {0}.png", "squared loss alone: leave --loss out, or choose"),
        ("--loss huber --plot surface {0}.png", "--plot surface shows descents on the squared"),
        (
            "--batch-size 8 --learning-rate 1 --explore {0}.html",
            "descents on all rows alone: leave",
        ),
        (
            "--schedule cosine --learning-rate 1 --plot rates {0}.png",
            "one rate alone: leave --sche",
        ),
        (
            "--early-stopping --learning-rate 0.1 --plot surface {0}.png",
            "descents on all rows alone: leave --early-stopping out, or choose",
        ),
        (
            "--early-stopping --learning-rate 0.1 --explore {0}.html",
            "foretell descents on all rows alone: leave --early-stopping out",
        ),
    ],
)
def test_what_does_not_go_together_gets_one_line(run, cars, tmp_path, options, words):
    options = options.format(tmp_path / "a").split()
    line = refusal(run, cars, "--target", "price", *options)
    assert words in line
    for python in ("learning_rate", "batch_size", "loss=", "l1_ratio", "None", "()", "True"):
        assert python not in line


@pytest.mark.parametrize("options", [["--loss", "huber"], ["--batch-size", "8"]], ids=str)
def test_a_table_that_is_read_once_keeps_no_rows(run, tmp_path, monkeypatch, options):
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame(TABLE).to_parquet(tmp_path / "cars.parquet")
    monkeypatch.setattr(parquet, "LARGE", 100)
    status, _, err = run(tmp_path / "cars.parquet", "--target", "price", *options)
    assert status == 2
    assert f"{' '.join(options)} needs rows that are held" in err
    assert f"leave {options[0]} out, or take a part of the rows" in err


def test_a_table_that_is_read_once_takes_a_schedule(run, tmp_path, monkeypatch, cars):
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame(TABLE).to_parquet(tmp_path / "cars.parquet")
    options = *STEPS, "--schedule", "cosine"
    held = numbers(fit(run, cars, *options), "engine_size")
    monkeypatch.setattr(parquet, "LARGE", 100)
    status, out, _ = run(tmp_path / "cars.parquet", *options)
    assert status == 0 and "read once and not held" in out
    assert numbers(out, "engine_size") == pytest.approx(held, rel=1e-5)
