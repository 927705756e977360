"""The house as promises: layers of imports, size of functions, what may print, what is private."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

import gd_regressor
from gd_regressor.auto import ladder
from gd_regressor.data import table as data_table

PACKAGE = Path(gd_regressor.__file__).parent
TESTS = Path(__file__).parent

# The house from the roof to the ground: a room may import those after it. A new one fails the tests
# until it has its place here, and with it in the design.
LAYERS = [
    "__main__",
    *("command.pictures", "command.report", "command.files", "command.choosing"),
    *("command.peers", "command.asked"),
    *("command.parquet", "command.words", "command.tables"),
    "__init__",
    *("plots.explorer", "plots.page_data"),
    *("plots.cv_surface", "plots.penalty_path"),
    *("plots.convergence_map", "plots.spectrum", "plots.fit", "plots.loss_surface"),
    *("plots.learning_rate", "plots.loss_curve", "plots.subject", "plots.kinked", "plots.canvas"),
    "search",
    *("callbacks", "comparison", "regressor", "schedules"),
    *("penalised_paths", "paths", "by_hand"),
    *("estimator.searching", "estimator.predicting", "estimator.described"),
    *("estimator.fitting", "estimator.held_out", "estimator.arrays", "estimator.start"),
    *("estimator.warned", "estimator.advice"),
    *("estimator.shown", "estimator.directions", "estimator.wrapped", "estimator.unchanged"),
    *("estimator.parameters", "estimator.compatibility", "estimator.callbacks"),
    *("estimator.verbose", "estimator.tables", "estimator.progress"),
    "losses",
    *("validation.choice", "validation.leave_one_out", "validation.surface"),
    *("validation.alone", "validation.fold", "validation.scores", "validation.descents"),
    *("validation.proximal", "validation.lasso", "validation.ridge", "validation.training"),
    "validation.grid",
    *("streams.stream", "streams.kept_moments", "streams.kept_root"),
    *("streams.kept", "streams.null_space"),
    *("auto.follow", "auto.ladder", "auto.penalised_rungs"),
    *(
        "auto.by_batches",
        "auto.by_dual",
        "auto.by_sketch",
        "auto.by_single_moments",
        "auto.by_moments",
        "auto.by_qr",
        "auto.by_few_columns",
        "auto.columns_in_use",
        "auto.by_active_set",
        "auto.by_huber",
        "auto.by_curved",
        "auto.by_pinball",
        "auto.by_ridge",
        "auto.by_ridge_dual",
        "auto.by_ridge_scaling",
        "auto.by_working_sets",
        "auto.by_scaling",
    ),
    "auto.far_out",
    *("auto.sketch", "auto.probe", "auto.findings", "auto.gathered"),
    *("auto.newton", "auto.certified", "auto.plan"),
    *("lasso.along_working_sets", "lasso.working_sets", "lasso.homotopy", "lasso.on_rows"),
    "lasso.on_root",
    *("lasso.along_alpha", "lasso.certificate"),
    *("lasso.shortest", "lasso.active_set", "lasso.semismooth", "lasso.face"),
    "lasso.ahead",
    *("robust.start", "robust.newton", "robust.pieces", "robust.smooth", "robust.shortest"),
    *(
        "robust.globs",
        "robust.faces",
        "robust.ridged",
        "robust.interior",
        "robust.smoothed",
        "robust.vertex",
        "robust.pinball",
    ),
    "robust.cut",
    *("textbook.landscape", "textbook.forecast", "textbook.held_out"),
    *("textbook.follow", "textbook.epochs", "textbook.penalised", "textbook.robust"),
    "textbook.modal",
    *("textbook.spectrum", "textbook.needed", "textbook.polynomials"),
    *("textbook.modes", "textbook.triangle"),
    *("metric.dependence", "metric.factor", "metric.ridged_diagonal", "metric.diagonal"),
    *("metric.combinations", "metric.ridged_rows", "metric.row_space"),
    *("objective.on_rows_sliced", "objective.on_rows_doubled", "objective.on_moments"),
    *("objective.on_rows_clipped", "objective.on_rows_robust", "objective.on_rows_curved"),
    "objective.robust",
    *("objective.ridge", "objective.on_batches", "objective.on_rows"),
    *("objective.frame", "objective.penalties"),
    *("descent.run", "descent.epochs", "descent.walk", "descent.stopping", "descent.held_out"),
    *("descent.steps", "descent.schedules", "descent.momentum", "descent.nouns"),
    *("descent.records", "descent.rho"),
    *("data.heldout", "data.folds"),
    *("data.distributed", "data.inputs", "data.root", "data.column_moments", "data.moments"),
    *("data.row_products", "data.chosen", "data.few_columns"),
    *("data.products", "data.origins"),
    *(
        "data.unchecked",
        "data.batches",
        "data.table",
        "data.sparse",
        "data.moved",
        "data.checks",
        "data.kinds",
        "data.passes",
    ),
    *("arithmetic.slices", "arithmetic.rounding", "arithmetic.doubled"),
    *("arithmetic.units", "arithmetic.ranges"),
    *("arithmetic.threads", "arithmetic.limits", "arithmetic.kernels"),
    *("arithmetic.cached", "arithmetic.frozen"),
]
# Wings side by side: neither may import the other
NEIGHBOURS = [
    {"auto", "textbook"},
    {"lasso", "textbook"},
    {"robust", "textbook"},
    {"lasso", "robust"},
    {"descent", "data"},
]
EXTRAS = {"matplotlib", "pandas", "pyarrow", "polars", "joblib", "dask", "skops", "rich"}
SCREEN = 50  # lines


def room_of(path):
    """The dotted name of a file in the package. A wing's `__init__.py` has the name of the wing."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


FILES = {room_of(path): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
WINGS = {name for name, path in ((p.name, p) for p in PACKAGE.iterdir()) if path.is_dir()} & set(
    FILES
)
TREES = {name: tree for name, tree in FILES.items() if name not in WINGS}
HOUSE = [path for folder in (PACKAGE, TESTS) for path in sorted(folder.rglob("*.py"))]

each_room = pytest.mark.parametrize("room", sorted(TREES))
each_public_name = pytest.mark.parametrize("name", gd_regressor.__all__)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def runs_later(node):
    """Whether an import of the room does not run the node: bodies of functions, TYPE_CHECKING."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, (*FUNCTIONS, ast.Lambda))


def nodes(tree, *, inside_functions=True):
    """All nodes below `tree`, or only the nodes that an import of the room runs."""
    for child in ast.iter_child_nodes(tree):
        if inside_functions or not runs_later(child):
            yield child
            yield from nodes(child, inside_functions=inside_functions)


def imports(tree, **scope):
    """Dotted names of all imports: `from a import b` is a.b, and relative names are in full."""
    for node in nodes(tree, **scope):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = [node.module] if node.module else []
            origin = ["gd_regressor", *origin] if node.level else origin
            yield from (".".join([*origin, alias.name]) for alias in node.names)


def rooms_entered(tree, rooms=frozenset(TREES)):
    """The rooms that a module imports. A public name comes from the front door, `__init__`."""
    for name in imports(tree):
        package, *rest = name.split(".")
        if package == "gd_regressor":
            dotted = (".".join(rest[:length]) for length in range(len(rest), 0, -1))
            yield next((room for room in dotted if room in rooms), "__init__")


def forbidden(room, tree, rooms=frozenset(TREES)):
    """The imports of a room that break the rule: rooms above it, and rooms of a neighbour."""
    below = set(LAYERS[LAYERS.index(room) + 1 :])
    # The command is a user: it comes through the front door
    wing = room.split(".")[0]
    beside = {other for pair in NEIGHBOURS if wing in pair for other in pair - {wing}}
    return {
        other
        for other in rooms_entered(tree, rooms)
        if other not in below or other.split(".")[0] in beside
    }


def functions(tree, prefix=""):
    """All functions with their qualified names."""
    for child in ast.iter_child_nodes(tree):
        named = isinstance(child, (*FUNCTIONS, ast.ClassDef))
        if isinstance(child, FUNCTIONS):
            yield prefix + child.name, child
        yield from functions(child, f"{prefix}{child.name}." if named else prefix)


# --- Rooms ---


@each_room
def test_a_room_has_its_place_and_imports_only_those_below(room):
    assert room in LAYERS, f"give {room} its place in LAYERS and in the design"
    assert not forbidden(room, TREES[room])


@each_room
def test_no_room_takes_locks_that_an_interrupt_or_a_fork_leaves_taken(room):
    """If a process forks while a thread holds a lock, the child waits for it for ever."""
    locking = {"functools.cached_property", "threading.Condition", "threading.Event"}
    locking |= {"queue.Queue", "threading.Semaphore", "concurrent.futures.ThreadPoolExecutor"}
    tree = TREES[room]
    attributes = {ast.unparse(node) for node in nodes(tree) if isinstance(node, ast.Attribute)}
    assert not locking & (set(imports(tree)) | attributes)


def test_the_plan_has_no_room_that_is_not_there():
    assert sorted(LAYERS) == sorted(TREES)


def test_rooms_of_a_wing_lie_together():
    wings = [wing for wing, *room in (name.split(".") for name in LAYERS) if room]
    assert [wing for wing, _ in groupby(wings)] == list(dict.fromkeys(wings))


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_the_door_of_a_wing_says_what_the_wing_is_for_and_imports_nothing(wing):
    assert ast.get_docstring(FILES[wing])
    assert len(FILES[wing].body) == 1


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("data.moments", "from gd_regressor.objective.frame import Frame"),
        ("data.table", "import gd_regressor.data.moments"),
        ("auto.ladder", "from gd_regressor.textbook.triangle import MOMENTS_ARE_EXACT"),
        ("descent.walk", "from gd_regressor.data import table"),
        ("metric.factor", "def f():\n    from gd_regressor import Moments"),
        ("arithmetic.doubled", "from ..data.sparse import SparseColumns"),
    ],
)
def test_an_upward_import_would_be_seen(room, line):
    assert forbidden(room, ast.parse(line))


@each_room
def test_a_function_fits_on_a_screen(room):
    for name, function in functions(TREES[room]):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        assert lines <= SCREEN, f"{name} has {lines} lines"


def classes():
    """All classes in the rooms of the package."""
    for room in TREES:
        if not room.startswith("__"):
            module = importlib.import_module(f"gd_regressor.{room}")
            everything = filter(inspect.isclass, vars(module).values())
            yield from (c for c in everything if c.__module__ == module.__name__)


NOUNS = [c for c in classes() if inspect.isabstract(c)]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_a_noun_is_abstract_or_final(noun):
    """Each class is abstract, or final with every method that its abstract class promises."""
    below = [c for c in classes() if noun in c.__mro__[1:]]
    assert below, "a noun without a class that keeps its promise is no noun yet"
    for made in below:
        assert inspect.isabstract(made) or not made.__subclasses__(), f"{made.__name__} is final"


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_no_implemented_method_is_overridden(noun):
    written = {
        name
        for name, method in vars(noun).items()
        if inspect.isfunction(method) and not getattr(method, "__isabstractmethod__", False)
    }
    written -= {"kept"}  # a rule keeps the update that it ends at, unless it says otherwise
    for made in classes():
        if noun in made.__mro__[1:]:
            assert not written & {n for n in vars(made) if not n.startswith("__")}, made.__name__


STREAMS = sorted(name for name in TREES if name.startswith("streams."))


@pytest.mark.parametrize("room", [*(n for n in sorted(TREES) if n.startswith("auto.")), *STREAMS])
def test_auto_and_streams_do_not_ask_what_something_is(room):
    calls = (node.func for node in nodes(TREES[room]) if isinstance(node, ast.Call))
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    assert not {"isinstance", "hasattr", "type", "issubclass"} & called


@pytest.mark.parametrize("room", STREAMS)
def test_streams_compare_nothing_with_a_word(room):
    """What a stream keeps is an object with verbs, so no code may ask for its name."""
    compared = [
        (node.lineno, side.value)
        for node in nodes(TREES[room])
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and isinstance(side.value, str)
    ]
    assert not compared


def test_the_ladder_only_chooses():
    assert len((PACKAGE / "auto" / "ladder.py").read_text("utf-8").splitlines()) <= 80


def constants(tree):
    """The statements of a room that make constants, and the names of these."""
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = (part for target in targets for part in ast.walk(target))
            names = [part.id for part in named if isinstance(part, ast.Name) and part.id.isupper()]
            if names:
                yield node, names


def test_a_constant_belongs_to_one_room():
    """Other rooms import it from there, so no name has two values."""
    rooms = {}
    for room, tree in TREES.items():
        for name in (name for _, names in constants(tree) for name in names):
            rooms.setdefault(name, []).append(room)
    assert len(rooms) > 50
    assert not {name: where for name, where in rooms.items() if len(where) > 1}


@each_room
def test_a_constant_has_a_reason(room):
    """Beside it or above it; one comment may be for several constants in a row."""
    path = PACKAGE.joinpath(*room.split(".")).with_suffix(".py")
    lines = ["", *path.read_text("utf-8").splitlines()]
    explained = set()  # the last lines of constants that have their reason
    for node, names in constants(TREES[room]):
        beside = any("  # " in line for line in lines[node.lineno : node.end_lineno + 1])
        above = lines[node.lineno - 1].startswith("#") or node.lineno - 1 in explained
        assert beside or above, names
        explained.add(node.end_lineno)


JUDGES = {
    *("descent.run.run", "descent.stopping", "descent.held_out", "textbook.epochs.pass_over"),
    *("auto.plan.judged", "auto.newton.floor_status"),
    *("auto.by_sketch.Sketched.settle", "auto.by_scaling.Scaled.settle"),
}


@pytest.mark.parametrize("room", sorted(name for name in TREES if name != "descent.records"))
def test_a_status_is_given_where_a_run_ends_and_where_a_plan_settles(room):
    tree = TREES[room]
    asked = {id(n) for node in nodes(tree) if isinstance(node, ast.Compare) for n in nodes(node)}
    for node in nodes(tree):
        named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if named and node.value.id == "Status" and id(node) not in asked:
            inside = {
                f"{room}.{name}"
                for name, function in functions(tree)
                if function.lineno <= node.lineno <= function.end_lineno
            }
            assert ({room} | inside) & JUDGES, f"{room}, line {node.lineno}"


def writes(node):
    """Whether a node calls print or uses a standard stream."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "print"
    if isinstance(node, ast.Attribute):
        return re.fullmatch("_{0,2}std(out|err)_{0,2}", node.attr)
    return isinstance(node, ast.ImportFrom) and any(
        alias.name in ("stdout", "stderr") for alias in node.names
    )


def test_only_the_command_and_verbose_write():
    library = {room: tree for room, tree in TREES.items() if room != "__main__"}
    writers = {
        (room, name)
        for room, tree in library.items()
        for name, function in functions(tree)
        if any(map(writes, nodes(function)))
    }
    assert writers == {("estimator.verbose", "_write"), ("estimator.progress", "_terminal")}
    for tree in library.values():
        assert not any(map(writes, nodes(tree, inside_functions=False)))


@pytest.mark.parametrize("path", HOUSE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_private_name_of_scikit_learn(path):
    tree = ast.parse(path.read_text("utf-8"))
    names = [name.split(".") for name in imports(tree)]
    private = [name for name in names if name[0] == "sklearn" and any(p[0] == "_" for p in name)]
    assert not private


@each_room
def test_extras_are_imported_where_they_are_used(room):
    packages = {name.split(".")[0] for name in imports(TREES[room], inside_functions=False)}
    assert not packages & EXTRAS


def test_a_fit_imports_no_pipelines_and_no_other_estimators():
    """They would take as long to import as the whole package."""
    code = "import sys, gd_regressor; print(*(m for m in sys.modules if m.startswith('sklearn.')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    wings = {name.split(".")[1] for name in done.stdout.split()}
    assert not wings & {"compose", "linear_model", "model_selection", "pipeline", "preprocessing"}


def entered(fit):
    """The rooms of auto/ in the order of their calls, each with the room that called it."""
    folder, calls = str(PACKAGE / "auto"), []

    def room(frame):
        path = frame and Path(frame.f_code.co_filename)
        return path.stem if path and str(path.parent) == folder else None

    def see(frame, event, _):
        if event == "call" and room(frame):
            callers = [room(back) for back in stack_of(frame.f_back)]
            calls.append((room(frame), frame.f_code.co_name, set(callers) - {None}))

    sys.setprofile(see)
    try:
        fit()
    finally:
        sys.setprofile(None)
    return calls


def stack_of(frame):
    while frame:
        yield frame
        frame = frame.f_back


rng = np.random.default_rng(0)
TALL, TARGET = rng.standard_normal((60, 4)), rng.standard_normal(60)
NEARLY = np.column_stack([TALL, TALL[:, 0] + 1e-9 * rng.standard_normal(60)])
TABLES = {
    "moments": (TALL, {}),
    "sketch": (TALL, {"best_sketch": lambda *sizes: (24, 0.0)}),
    "single_moments": (TALL, {"single_cost": lambda *sizes: -1.0}),
    "qr": (NEARLY, {}),
    "dual": (TALL[:4, :], {}),
    "scaled": (csr_array(np.where(TALL > 0, TALL, 0)), {"FEW_SPARSE": 2}),
}


@pytest.mark.parametrize("rung", TABLES)
def test_a_fit_enters_the_ladder_once_and_no_rung_enters_another(rung, monkeypatch):
    X, patches = TABLES[rung]
    if patches:
        monkeypatch.setattr(data_table, "SMALL", 0)
    for name, value in patches.items():
        monkeypatch.setattr(ladder, name, value)
    model = gd_regressor.GDLinearRegressor()
    calls = entered(lambda: model.fit(X, TARGET[: X.shape[0]]))
    assert model.metric_ == rung.removeprefix("single_")
    assert [name for room, name, _ in calls if room == "ladder"].count("plan_for") == 1
    rungs = {room for room, _, _ in calls if room.startswith("by_")}
    assert f"by_{'scaling' if rung == 'scaled' else rung}" in rungs
    for room, _, callers in calls:
        if room in rungs:
            assert not {c for c in callers if c.startswith("by_")} - {room}


# --- Public names ---


def test_public_names_are_all_there_and_in_order():
    assert sorted(set(gd_regressor.__all__)) == list(gd_regressor.__all__)
    assert all(hasattr(gd_regressor, name) for name in gd_regressor.__all__)


def section(docstring, title):
    """The lines of a numpydoc section; empty if there is no such section."""
    pattern = rf"^{title}\n-{{{len(title)}}}\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)"
    found = re.search(pattern, docstring, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@each_public_name
def test_a_public_name_has_an_example_that_runs(name):
    thing = getattr(gd_regressor, name)
    assert section(inspect.getdoc(thing), "Examples"), f"{name} has no Examples section"
    module = importlib.import_module(thing.__module__)
    collected = {test.name: test.examples for test in doctest.DocTestFinder().find(module)}
    assert collected[f"{module.__name__}.{name}"]


def signatures():
    """Public functions, classes with parameters, and their own public methods, by name."""
    for name in gd_regressor.__all__:
        thing = getattr(gd_regressor, name)
        if inspect.isfunction(thing) or "__init__" in vars(thing):
            yield name, thing
            for method in [m for m in vars(thing) if not m.startswith("_")]:
                own = getattr(thing, method)
                if inspect.isroutine(own) and own.__module__ == thing.__module__:
                    yield f"{name}.{method}", own


SIGNATURES = dict(signatures())


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_docstring_tells_all_parameters_in_their_order(name):
    parameters = inspect.signature(SIGNATURES[name]).parameters.values()
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    expected = [stars.get(p.kind, "") + p.name for p in parameters if p.name != "self"]
    told = section(inspect.getdoc(SIGNATURES[name]), "Parameters")
    assert re.findall(r"^(\*{0,2}\w+) : ", told, re.MULTILINE) == expected


# Of the methods of Moments a user needs one; the rooms of the package call the others
METHODS = ["Moments.of"] + [n for n in SIGNATURES if "." in n and not n.startswith("Moments.")]


@pytest.mark.parametrize("name", METHODS)
def test_the_reference_shows_a_public_method_with_an_example(name):
    template = TESTS.parent / "docs" / "_templates" / "autosummary" / "class.rst"
    assert f'"{name.split(".")[1]}"' in template.read_text("utf-8")
    assert ">>> " in section(inspect.getdoc(SIGNATURES[name]), "Examples")
