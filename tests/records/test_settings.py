"""Tests of the settings file: defaults of missing keys, and errors as sentences."""

import re
from pathlib import Path

import pytest

from cnnlib.errors import SettingsError
from cnnlib.records.folders import Folders
from cnnlib.records.settings import MachineLimits, PersonLimits, Settings


@pytest.fixture
def folders() -> Folders:
    folders = Folders.from_environment()
    folders.runs.mkdir(parents=True)
    return folders


def read(folders: Folders, text: str) -> Settings:
    (folders.runs / "cnnlab.toml").write_text(text)
    return Settings.read(folders)


def test_without_a_file_the_lab_is_one_persons(folders):
    assert Settings.read(folders) == Settings()
    assert not Settings().class_mode.on


def test_what_the_file_leaves_out_has_its_default(folders):
    settings = read(folders, "[class]\non = true\n[person]\nepochs = 7\n")
    assert settings.class_mode.on and not settings.class_mode.sign_in
    assert settings.person == PersonLimits(epochs=7)
    assert settings.machine == MachineLimits()


def test_another_file_may_be_named(folders, tmp_path, monkeypatch):
    path = tmp_path / "elsewhere.toml"
    path.write_text("[machine]\npause_minutes = 0.5\n")
    monkeypatch.setenv("CNNLAB_CONFIG", str(path))
    assert Settings.read(folders).machine.pause_minutes == 0.5


def test_a_file_that_is_named_must_be_there(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(SettingsError, match="nowhere.toml cannot be read: No such file"):
        Settings.read(folders)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "on = true",
            "'on' is not a section of the settings. Known sections: .class., .person., .mach",
        ),
        ("[person]\nepoch = 5", r"\[person\] has no key 'epoch'. Known keys: runs_waiting, "),
        ("[person]\nepochs = -1", r"in section \[person\]: epochs is -1, but"),
        ("[person]\nepochs = 1.5", "epochs is 1.5, but"),
        ("[class]\non = 1", "on is 1, but it must be true or false"),
        ("[machine]\nruns_at_once = 65", "runs_at_once is 65, but"),
        ("[machine]\npause_minutes = nan", "pause_minutes is nan, but"),
        ("class = true", r"class is a section. Write \[class\] on a separate line"),
        ("[person\n", "is not valid TOML: .* Write lines such as on = true"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_key(text, sentence, folders):
    with pytest.raises(SettingsError, match=sentence):
        read(folders, text)


def test_bytes_that_are_no_text_are_a_sentence(folders):
    (folders.runs / "cnnlab.toml").write_bytes(b"\xff\xfe[class]")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        Settings.read(folders)


def test_the_page_for_operators_shows_every_key_with_its_default(folders):
    text = (Path(__file__).parents[2] / "docs" / "class.md").read_text()
    everything = max(re.findall(r"```toml\n(.*?)```", text, re.DOTALL), key=len)
    (folders.runs / "cnnlab.toml").write_text(everything)
    keys = re.findall(r"^(\w+) =", everything, re.MULTILINE)
    assert keys == [key for values in Settings().to_dict().values() for key in values]
    assert Settings.read(folders) == Settings()
