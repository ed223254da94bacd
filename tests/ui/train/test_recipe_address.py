"""Tests of the recipe in the address of the Train page."""

from apps import AppTest

from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_link import decode_recipe, encode_recipe
from cnnlib.ui.common.urls import PAGES, TRAIN

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"


def open_form(recipe: str = "") -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    if recipe:
        app.query_params["recipe"] = recipe
    app.switch_page(str(TRAIN)).run()
    assert not app.exception, app.exception
    return app


def link_in(app: AppTest) -> str:
    link = app.query_params["recipe"]  # a list where the test set it, else a text
    return link if isinstance(link, str) else link[0]


def recipe_in(app: AppTest) -> Recipe:
    return decode_recipe(link_in(app))


def test_the_address_follows_the_form():
    app = open_form()
    epochs = next(each for each in app.number_input if each.label == "Epochs")
    epochs.set_value(7).run()
    assert recipe_in(app).epochs == 7


def test_the_plain_address_stands_for_the_default():
    """A change of the address would be one more place for the browser's Back."""
    assert "recipe" not in open_form().query_params


def test_a_recipe_of_the_menu_is_in_the_address():
    app = open_form()
    app.selectbox(key="train_recipe").set_value("mnist-sgd").run()
    assert "recipe" in app.query_params


def test_a_link_opens_the_form_with_its_recipe():
    recipe = Recipe(epochs=9, lr=0.0123, optimizer="nesterov", patience=4)
    app = open_form(encode_recipe(recipe))
    assert app.selectbox(key=f"train_recipe_{encode_recipe(recipe)}").value == "link"
    assert recipe_in(app) == recipe


def test_a_reload_keeps_what_was_typed():
    app = open_form()
    next(each for each in app.number_input if each.label == "Epochs").set_value(7).run()
    link = link_in(app)
    assert recipe_in(open_form(link)).epochs == 7  # a new session, as after a reload


def test_another_recipe_of_the_menu_replaces_the_one_of_the_link():
    link = encode_recipe(Recipe(epochs=9))
    app = open_form(link)
    app.selectbox(key=f"train_recipe_{link}").set_value("default").run()
    assert recipe_in(app).epochs != 9


def test_a_damaged_recipe_in_the_address_is_a_sentence():
    app = open_form("1~lr.x")
    assert "does not describe a recipe" in app.error[0].value


def test_an_address_that_the_browser_has_not_updated_yet_changes_nothing():
    """Reruns come with the browser's address, which lags behind fast changes."""
    app = open_form()
    epochs = next(each for each in app.number_input if each.label == "Epochs")
    epochs.set_value(6).run()
    old = link_in(app)
    epochs = next(each for each in app.number_input if each.label == "Epochs")
    epochs.set_value(7).run()
    app.query_params["recipe"] = old
    app.run()
    assert recipe_in(app).epochs == 7
