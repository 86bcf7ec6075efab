"""Kinds are found by name, and one that is broken harms no other."""

import sys
from pathlib import Path
from typing import Any

import pytest

import destination as ht
import destinations
from destination import registry
from destination.app import make_instances
from destination.errors import ConfigError
from destination.settings import load
from destinations.sandbox.webhook import StandIn
from destinations.webhook import Webhook

GOOD = '''
from pydantic import BaseModel
from destination import Batch, Destination, NoOptions, bearer

class Settings(BaseModel):
    """None."""

class Extra(Destination[Settings, NoOptions]):
    """A kind in a file of its own."""

    kind = "{kind}"
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules are kinds, beside the shipped ones."""
    monkeypatch.setattr(destinations, "__path__", [*destinations.__path__, str(tmp_path)])
    for name in [name for name in sys.modules if name.startswith("destinations.extra")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def refused(kind: str) -> str:
    """Why a kind cannot be loaded."""
    with pytest.raises(ConfigError) as raised:
        registry.load(kind)
    return raised.value.message


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make an installed package's entry point of anything."""

    def install(name: str, loaded: Any) -> None:
        class Point:
            def load(self) -> Any:
                if isinstance(loaded, Exception):
                    raise loaded
                return loaded

        point = Point()
        point.name = name
        monkeypatch.setattr(registry, "_entry_points", lambda: [point])

    return install


def test_the_shipped_kinds_are_there():
    """Kinds are listed by name; the folder of stand-ins is none."""
    assert "webhook" in registry.kinds()
    assert "sandbox" not in registry.kinds()
    assert registry.load("webhook") is Webhook


def test_the_shipped_stand_ins_are_there():
    """A kind's stand-in is found by the kind's name."""
    assert "webhook" in registry.stand_ins()
    assert registry.stand_in("webhook") is StandIn


def test_listing_imports_nothing(package):
    """A broken module is listed like any other."""
    (package / "extra_broken.py").write_text("raise RuntimeError('boom')")

    assert "extra_broken" in registry.kinds()


def test_a_file_is_a_kind(package):
    """A module with one destination is a kind by its file's name; what it imports is not."""
    (package / "extra_good.py").write_text(GOOD.format(kind="extra_good"))

    assert registry.load("extra_good").kind == "extra_good"


def test_an_unknown_kind_is_named_with_the_closest():
    """The name that was probably meant, or all there are."""
    assert refused("webhok") == 'Kind "webhok" does not exist. Did you mean "webhook"?'
    assert "webhook" in refused("zzz")
    with pytest.raises(ConfigError, match="Stand-in"):
        registry.stand_in("zzz")


@pytest.mark.parametrize("name", ["sandbox", "__init__", "os", "../x", "", "sandbox.webhook"])
def test_what_is_no_kind_cannot_be_loaded(name):
    """Only modules of the package are kinds."""
    assert "does not exist" in refused(name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import nowhere_at_all", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "exactly one subclass of Destination, not 0"),
        (
            GOOD.format(kind="extra_bad") + "\nclass Second(Extra): kind = 'second'\n",
            "exactly one subclass of Destination, not 2",
        ),
        (GOOD.format(kind="another"), 'must say kind = "extra_bad"'),
    ],
)
def test_a_broken_module_says_what_is_wrong(package, text, why):
    """The kind is named with the reason, and the others load as before."""
    (package / "extra_bad.py").write_text(text)
    sys.modules.pop("destinations.extra_bad", None)

    message = refused("extra_bad")

    assert message.startswith('Kind "extra_bad"')
    assert why in message
    assert registry.load("webhook") is Webhook


class Installed(ht.Destination[ht.NoOptions, ht.NoOptions]):
    """A kind of another package."""

    kind = "installed"


def test_an_installed_package_adds_a_kind(installed):
    """An entry point is a kind, listed and loaded like a shipped one."""
    installed("installed", Installed)

    assert "installed" in registry.kinds()
    assert registry.load("installed") is Installed


@pytest.mark.parametrize(
    ("loaded", "why"),
    [
        (ImportError("boom"), "ImportError: boom"),
        (object, "exactly one subclass of Destination, not 0"),
        (lambda: None, "exactly one subclass of Destination, not 0"),
        (Installed, 'must say kind = "other"'),
    ],
)
def test_a_broken_entry_point_says_what_is_wrong(installed, loaded, why):
    """Another package's mistake is told by its kind's name."""
    installed("other", loaded)

    assert why in refused("other")
    assert registry.load("webhook") is Webhook


def test_a_file_beside_the_configuration_is_a_kind(tmp_path, monkeypatch):
    """It is found as seen from the file that names it, and keeps its own settings."""
    (tmp_path / "acme.py").write_text(GOOD.format(kind="acme"))
    (tmp_path / "destinations.toml").write_text(
        '[destinations.crm]\nkind = "acme"\nmodule = "acme.py"\n'
    )
    monkeypatch.chdir("/")

    made = make_instances(load(tmp_path / "destinations.toml"))

    assert made["crm"].kind == "acme"


def test_a_file_hides_no_module_of_its_name(tmp_path):
    """One that is called like a module of Python's leaves that one alone."""
    (tmp_path / "json.py").write_text(GOOD.format(kind="acme"))

    assert registry.read(tmp_path / "json.py").kind == "acme"
    assert sys.modules["json"].loads("1") == 1


def test_a_package_of_files_is_a_kind(tmp_path):
    """Named by its ``__init__.py``, its modules import each other relatively."""
    (tmp_path / "form.py").write_text('LABEL = "Acme"\n')
    text = GOOD.format(kind="acme") + "    label = LABEL\n"
    (tmp_path / "__init__.py").write_text(f"from .form import LABEL\n{text}")

    assert registry.read(tmp_path / "__init__.py").label == "Acme"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("acme.py", None, "there is no such file"),
        ("acme.txt", "", "its name must end in .py"),
        ("acme.py", "raise RuntimeError('boom')", "cannot be loaded: RuntimeError: boom"),
        ("acme.py", "import sys; sys.exit('a script')", "cannot be loaded: SystemExit: a script"),
        ("acme.py", "def broken(:", "cannot be loaded: SyntaxError"),
        ("acme.py", "x = 1", "exactly one subclass of Destination, not 0"),
        ("acme.py", GOOD.replace('kind = "{kind}"', ""), 'must say kind = "…"'),
        ("acme.py", GOOD.format(kind="other"), 'is of kind "other", not "acme"'),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path, name, text, why):
    """The file is named with the reason."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError) as raised:
        registry.chosen("acme", {"module": str(path)})

    assert raised.value.message.startswith(str(path))
    assert why in raised.value.message


@pytest.mark.parametrize("given", ["", 7, None, ["acme.py"], "acme\0.py"])
def test_a_module_is_named_by_text(given):
    """Anything else is told with an example."""
    with pytest.raises(ConfigError, match=r'module = "acme\.py"'):
        registry.chosen("acme", {"module": given})
