"""``python -m cnnlib limits``: what is set, for people and for machines."""

import json

from cnnlib.cli.main import main
from cnnlib.records.folders import Folders
from cnnlib.records.settings import Settings


def test_every_setting_is_told_with_its_meaning(capsys):
    assert main(["limits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("[")]
    assert len(told) == sum(map(len, Settings().to_dict().values()))
    assert all(line.rstrip().endswith(".") for line in told)


def test_what_the_file_says_is_told_as_json(capsys):
    folders = Folders.from_environment()
    folders.runs.mkdir(parents=True)
    (folders.runs / "cnnlab.toml").write_text("[class]\non = true\n[person]\nepochs = 7\n")
    assert main(["limits", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["exists"], told["class"]["on"], told["person"]["epochs"]) == (True, True, 7)


def test_a_mistake_in_the_file_is_a_sentence_and_exit_code_2(capsys):
    folders = Folders.from_environment()
    folders.runs.mkdir(parents=True)
    (folders.runs / "cnnlab.toml").write_text("[person]\nepoch = 7\n")
    assert main(["limits"]) == 2
    assert "[person] has no key 'epoch'" in capsys.readouterr().err
