"""The Data page: its panels of datasets, and the jobs that its buttons submit."""

import re

import numpy as np
import pytest
from apps import AppTest
from sample_data import class_folders, encoded, prepared_now, write_folder, write_zip

from cnnlib.data.image_folder.sources import FolderOptions
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import load_prepared
from cnnlib.data.uploads import add_folder_zip
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.runs import RunStore
from cnnlib.train.api import fit
from cnnlib.train.worker.job_kinds import execute_job
from cnnlib.ui.common.urls import DATA, LAB
from cnnlib.ui.data.sheet import PER_ROW
from cnnlib.ui.data.view import augmented, describe_statistics

MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def store():
    run_store = RunStore()
    yield run_store
    run_store.close()


def open_data(**query: str) -> AppTest:
    """Open the Data page with query parameters."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(DATA)).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption, *app.success])


def shown_pictures(app: AppTest) -> int:
    return sum(each.proto.body.count("<img") for each in app.get("html"))


def own_zip(folder) -> bytes:
    """Build a zip with two classes of six pictures."""
    return write_zip(folder / "own.zip", class_folders({"cat": 6, "dog": 6})).read_bytes()


def run_queued_jobs(store: RunStore) -> None:
    """Run the queued jobs, as a worker does."""
    worker_id = store.workers.register()
    while (job := store.jobs.claim(worker_id)) is not None:
        execute_job(job, store, worker_id)
        assert store.jobs.find(job.id).state == "done"
    store.workers.unregister(worker_id)


def sheet(app: AppTest) -> str:
    """The HTML of the contact sheet."""
    [found] = [each.proto.body for each in app.get("html") if 'class="sheet"' in each.proto.body]
    return found


def marked(app: AppTest) -> list[str]:
    """The kinds of the pictures of the sheet, in order; "" for ordinary ones."""
    return re.findall(r'data-kind="(\w*)"', sheet(app))


def test_a_dataset_that_is_not_here_can_be_downloaded(store):
    app = open_data(dataset="mnist")
    app.button(key="data_prepare").click().run()
    assert [(job.kind, job.args) for job in store.jobs.all()] == [("prepare", {"name": "mnist"})]


def test_a_prepared_dataset_is_shown_with_everything_that_is_known():
    info = prepared_now("digits").info
    app = open_data(dataset="digits")
    assert describe_statistics(info) in texts(app)
    assert "prepared copy" in texts(app)
    assert shown_pictures(app) == 10 * PER_ROW + 32  # a row a class; four pictures eight times


def test_the_sheet_shows_one_class_of_one_split():
    data = prepared_now("digits")
    app = open_data(dataset="digits")
    app.segmented_control(key="data_split").select("test").run()
    app.selectbox(key="data_class").select("7").run()
    sevens = int((data.test_labels == 7).sum())
    assert shown_pictures(app) == min(60, sevens) + 32


def test_without_a_network_duplicates_are_found_and_a_training_is_offered(store):
    same = {f"{name}/same.png": encoded(77) for name in ("cat", "dog")}
    write_folder(store.folders.data / "own", class_folders({"cat": 5, "dog": 5}) | same)
    prepared_now("folder:own")
    app = open_data(dataset="folder:own")
    assert "there is none yet" in texts(app) and set(marked(app)) == {""}
    app.button(key="data_odd").click().run()
    run_queued_jobs(store)
    app = open_data(dataset="folder:own")
    assert "Odd pictures: 1 duplicate." in texts(app)
    assert "duplicate" in marked(app) and "the same picture is" in sheet(app)
    assert not app.get("progress") and "Find the odd pictures" not in [b.label for b in app.button]
    app.button(key="data_odd_train").click().run()
    [run] = store.runs()
    assert (run.request.dataset, run.request.preset) == ("folder:own", "cifar_fast")


def test_with_a_network_the_odd_pictures_of_each_class_come_first(store):
    prepared_now("digits")
    run = fit("lenet5", "digits", Recipe(epochs=1), device="cpu", name="reader").run
    app = open_data(dataset="digits")
    assert set(marked(app)) == {""}
    app.button(key="data_odd").click().run()
    assert store.jobs.all()[0].args["run"] == run.id
    run_queued_jobs(store)
    app = open_data(dataset="digits")
    assert "The network: reader." in texts(app)
    rows = sheet(app).split("<section>")[1:]
    assert len(rows) == 10
    for row in rows:
        kinds = re.findall(r'data-kind="(\w*)"', row)
        odd = [kind for kind in kinds if kind]
        assert len(odd) >= 6 and kinds[: len(odd)] == odd  # at least the outliers, all in front
    app.selectbox(key="data_class").select("7").run()
    assert marked(app)[0] and not marked(app)[-1]


def test_an_uploaded_zip_is_taken_in_prepared_and_shown(store, tmp_path):
    app = open_data()
    app.file_uploader(key="data_zip").upload("pets.zip", own_zip(tmp_path), "application/zip")
    app.selectbox(key="data_size").select(16)
    add = next(each for each in app.button if each.label == "Add")
    add.click().run()
    assert app.selectbox(key="data_dataset").value == "folder:pets"
    run_queued_jobs(store)
    assert load_prepared("folder:pets").train_images.shape == (10, 3, 16, 16)  # 5 and 5; 1 to test
    assert "2 classes" in texts(open_data(dataset="folder:pets"))


def test_a_zip_that_is_none_is_refused_with_a_sentence():
    app = open_data()
    app.file_uploader(key="data_zip").upload("pets.zip", b"no zip", "application/zip")
    next(each for each in app.button if each.label == "Add").click().run()
    assert "pets.zip was not taken: it is not a zip." in app.error[0].value


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"../cat/1.png": encoded(), "dog/1.png": encoded(1)}, "points outside the zip"),
        ({"/etc/cat/1.png": encoded(), "dog/1.png": encoded(1)}, "points outside the zip"),
        ({"cat/bomb.png": bytes(5_000_000), "dog/1.png": encoded()}, "allowed factor of 200"),
        ({"1.png": encoded(), "2.png": encoded(1)}, "Make one folder per class"),
        ({"cat/notes.txt": b"no pictures here"}, "No picture was found"),
    ],
)
def test_a_zip_that_is_not_safe_or_has_no_classes_says_so_on_the_page(files, sentence, tmp_path):
    content = write_zip(tmp_path / "odd.zip", files).read_bytes()
    app = open_data()
    app.file_uploader(key="data_zip").upload("odd.zip", content, "application/zip")
    next(each for each in app.button if each.label == "Add").click().run()
    assert sentence in app.error[0].value
    assert "folder:odd" not in app.selectbox(key="data_dataset").options


def test_what_is_odd_but_usable_is_taken_in_and_said(store, tmp_path):
    files = class_folders({"Кот": 4, "кот": 4}) | {"кот/text.png": b"not a picture"}
    write_zip(tmp_path / "odd.zip", files)
    add_folder_zip(tmp_path / "odd.zip", "odd")
    assert "differ only in capital letters" in texts(open_data(dataset="folder:odd"))
    prepared_now("folder:odd")
    shown = open_data(dataset="folder:odd")
    assert [row["File"] for _, row in shown.dataframe[-2].value.iterrows()] == ["кот/text.png"]


def test_one_class_alone_is_said_to_be_one(tmp_path):
    write_zip(tmp_path / "one.zip", class_folders({"cat": 4}))
    add_folder_zip(tmp_path / "one.zip", "one")
    assert "There is only one class" in open_data(dataset="folder:one").warning[0].value


def test_without_a_zip_the_form_says_what_is_missing():
    app = open_data()
    next(each for each in app.button if each.label == "Add").click().run()
    assert "No zip file is selected" in app.error[0].value


def test_own_pictures_are_prepared_at_another_size(store):
    write_folder(Folders.from_environment().data / "own", class_folders({"a": 5, "b": 5}))
    prepared_now("folder:own")
    app = open_data(dataset="folder:own")
    app.selectbox(key="data_side_folder:own").select(64).run()
    app.toggle(key="data_channels_folder:own").set_value(True).run()
    app.button(key="data_prepare").click().run()
    [job] = store.jobs.all()
    assert job.args == {"name": "folder:own", "size": 64, "channels": 1, "fit": "crop"}
    run_queued_jobs(store)
    assert load_prepared("folder:own").info.in_size == (1, 64, 64)


def test_pictures_that_are_not_square_are_previewed_and_prepared_with_the_chosen_fit(store):
    files = {f"{c}/{n}.png": encoded(n + ord(c), (16, 8)) for c in "ab" for n in range(3)}
    write_folder(Folders.from_environment().data / "own", files)
    app = open_data(dataset="folder:own")
    [table] = [each.proto.body for each in app.get("html") if "Stretch" in each.proto.body]
    assert table.count("<img") == 9  # three pictures, three fits
    assert 'alt="a/0.png, Pad"' in table and "16 × 8 pixels" in table
    app.selectbox(key="data_fit_folder:own").select("pad").run()
    app.button(key="data_prepare").click().run()
    [job] = store.jobs.all()
    assert job.args == {"name": "folder:own", "size": 32, "channels": 3, "fit": "pad"}
    run_queued_jobs(store)
    assert load_prepared("folder:own").info.fit == "pad"


def test_the_fit_of_a_prepared_dataset_is_the_one_that_is_chosen():
    write_folder(Folders.from_environment().data / "own", class_folders({"a": 2, "b": 2}))
    for _ in prepare("folder:own", options=FolderOptions(fit="stretch")):
        pass
    assert open_data(dataset="folder:own").selectbox(key="data_fit_folder:own").value == "stretch"


def test_a_dataset_of_square_pictures_says_that_the_fit_makes_no_difference():
    write_folder(Folders.from_environment().data / "own", class_folders({"a": 2, "b": 2}))
    assert "crop, pad and stretch give the same" in texts(open_data(dataset="folder:own"))


def test_removing_takes_a_second_press_and_says_what_went(tmp_path):
    path = tmp_path / "pets.zip"
    path.write_bytes(own_zip(tmp_path))
    add_folder_zip(path, "pets")
    app = open_data(dataset="folder:pets")
    app.button(key="data_remove").click().run()
    assert r"folder\:pets is removed" in texts(app)
    assert "folder:pets" not in app.selectbox(key="data_dataset").options


def test_a_dataset_whose_pictures_cannot_be_used_says_why():
    write_folder(Folders.from_environment().data / "odd", {"a/1.png": b"", "b\u0007c/2.png": b""})
    app = open_data(dataset="folder:odd")
    assert "is not a valid name" in app.error[0].value


def test_pictures_without_class_folders_are_in_the_menu_and_the_page_says_what_is_missing():
    write_folder(Folders.from_environment().data / "flat", {"1.png": encoded()})
    app = open_data(dataset="folder:flat")
    assert "1 picture found, but not inside a folder of a class" in app.error[0].value


# -- functions of the panels -----------------------------------------------------------------------


def test_augmentation_shows_a_picture_of_each_class_before_and_after():
    data = prepared_now("digits")
    changed = augmented(data, Augmentation(shift=2), seed=1)
    assert changed.shape == (32, 1, 28, 28)
    firsts = [int((data.train_labels == label).argmax()) for label in range(4)]
    assert np.array_equal(changed[::8], data.train_images[firsts])
    assert any(not np.array_equal(changed[0], other) for other in changed[1:8])
    app = open_data(dataset="digits")
    [table] = [each.proto.body for each in app.get("html") if "augmented" in each.proto.body[:40]]
    assert ">Before</th>" in table and ">After</th>" in table
    assert table.count("picture before augmentation") == 4
    assert table.count("picture after augmentation") == 28
    app.toggle(key="data_flip").set_value(True).run()
    links = [str(each.proto.query_string) for each in app.get("page_link")]
    assert any("dataset=digits" in link and "flip.1~shift.2" in link for link in links)


def test_a_validation_split_has_a_column_a_bar_and_pictures():
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders({"a": 3}, "val/", first=20)
    write_folder(Folders.from_environment().data / "own", files)
    prepared_now("folder:own")
    app = open_data(dataset="folder:own")
    row = app.dataframe[-1].value.iloc[-1]
    assert row["Training pictures"] == 6  # 8, of which each class gives one to the test split
    assert (row["Validation pictures"], row["Test pictures"]) == (3, 2)
    assert app.segmented_control(key="data_split").options == ["train", "validation", "test"]
    app.segmented_control(key="data_split").select("validation").run()
    assert sheet(app).count("<img") == 3
    assert "<p>3 train · 3 validation · 1 test</p>" in sheet(app)  # of a; its bar has no test


def test_files_that_turned_out_unreadable_explain_the_counts_of_the_folders():
    files = class_folders({"a": 5, "b": 5}) | {"a/broken.png": b"no picture"}
    write_folder(Folders.from_environment().data / "own", files)
    prepared_now("folder:own")
    assert "1 file of them could not be used" in texts(open_data(dataset="folder:own"))


def test_folders_that_are_unclear_are_asked_and_the_answer_prepares(store):
    data = store.folders.data
    write_folder(data / "odd", class_folders({"cat": 4, "dog": 4, "test": 4}))
    app = open_data(dataset="folder:odd")
    assert "test/ is called like a split" in app.warning[0].value
    assert app.button(key="data_prepare").disabled
    assert "Say first what the folders below are." in texts(app)
    assert texts(app).count("is called like a split") == 0, "the question stands once"
    assert len(app.warning) == 1
    counts = "2 classes (cat, dog): 6 training pictures, 2 test pictures. 4 files not used."
    assert counts in texts(app)
    assert app.button(key="data_folders").disabled, "nobody has read the question yet"
    assert "Answer each question above" in texts(app)
    (box,) = app.checkbox
    assert box.label == "Accept the guess (test/: not used)"
    box.check().run()
    app.button(key="data_folders").click().run()
    run_queued_jobs(store)
    app = open_data(dataset="folder:odd")
    assert not app.warning
    assert load_prepared("folder:odd").info.classes == ("cat", "dog")
    assert app.button(key="data_folders").disabled
    app.button(key="data_folders_guess").click().run()
    guessed = {"name": "folder:odd", "roles": {}}
    assert guessed in [job.args for job in store.jobs.all(states=("queued",))]


def test_splits_without_classes_can_be_explained(store):
    write_folder(store.folders.data / "flat", class_folders({"train": 4, "test": 4}))
    app = open_data(dataset="folder:flat")
    assert "test/, train/ have pictures, but no folder for each class" in app.warning[0].value
    table = app.dataframe[-2]
    assert table.value["Folder"].tolist() == ["test/", "train/"]
    assert not app.checkbox, "the guess has no training picture"


def test_a_dataset_that_does_not_exist_is_said():
    app = open_data(dataset="folder:gone")
    assert "but there is no such dataset here" in app.warning[0].value
    assert not app.exception


def test_the_dataset_stays_when_another_one_was_prepared(store, monkeypatch):
    app = open_data()
    assert app.selectbox(key="data_dataset").value == "digits"
    app.switch_page(str(LAB)).run()
    del app.query_params["dataset"]  # as the menu of the pages does
    monkeypatch.setattr("cnnlib.ui.data.choice.default_dataset", lambda infos: infos[-1])
    app.switch_page(str(DATA)).run()
    assert app.selectbox(key="data_dataset").value == "digits"
