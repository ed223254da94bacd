"""Class mode on the pages: two browsers at one store, the cookie that tells them apart, sign-in."""

import asyncio
from collections.abc import Callable
from http.cookies import SimpleCookie

import httpx
import pytest
import streamlit as st
from apps import AppTest
from example_runs import a_request, a_running_run
from sample_data import class_folders, write_folder, write_zip
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.errors import StreamlitAuthError
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_websocket import USER_COOKIE_NAME, get_cookie_secret

from cnnlib.data.uploads import add_folder_zip
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RightsError
from cnnlib.records.folders import UPLOADS
from cnnlib.runs import RunStore
from cnnlib.runs.access.dataset_owners import dataset_owner, record_dataset_owner
from cnnlib.runs.saved_designs import SavedDesigns
from cnnlib.ui.common import identity
from cnnlib.ui.common.identity import COOKIE, BrowserCookie
from cnnlib.ui.common.urls import BUILD, DATA, PAGES, TRAIN
from cnnlib.ui.server.routes import routes

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"
ADA, BOB = "a" * 32, "b" * 32  # numbers of two browsers
Browser = Callable[..., AppTest]


@pytest.fixture
def store():
    """The run store of a server in class mode, as its operator."""
    store = RunStore()
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\n")
    yield store
    store.close()


@pytest.fixture
def browser(monkeypatch) -> Browser:
    """Opens a page in the browser with a number, and lends its eyes until the next is opened."""

    def opened(number: str, page=None, **query: str) -> AppTest:
        cookies = property(lambda _: {COOKIE: number} if number else {})
        monkeypatch.setattr(type(st.context), "cookies", cookies)
        app = AppTest.from_file(str(MAIN), default_timeout=30).run()
        if page is not None:
            for key, value in query.items():
                app.query_params[key] = value
            app.switch_page(str(page)).run()
        assert not app.exception
        return app

    return opened


def owner_of(number: str) -> str:
    return identity._owner("browser", number)


def test_who_presses_train_owns_the_run_in_every_tab(store, browser):
    browser(ADA, TRAIN).button(key="train_start").click().run()
    [run] = store.runs()
    assert run.owner == owner_of(ADA)
    other_tab = browser(ADA, TRAIN, run=run.id)
    assert not other_tab.button(key="train_stop").disabled


def test_the_buttons_of_somebody_elses_run_are_off_and_say_why(store, browser):
    run_id, _ = a_running_run(store.on_behalf_of(owner_of(ADA)))
    app = browser(BOB, TRAIN, run=run_id)
    for key in ("train_pause", "train_step", "train_stop"):
        button = app.button(key=key)
        assert button.disabled
        assert button.help == (
            "This run belongs to another person. You can view it, but you cannot change it."
        )
    assert app.select_slider(key=f"train_lr_{run_id}_0").disabled
    assert not app.button(key="train_another").disabled


def test_a_page_that_was_open_before_gets_a_sentence_from_the_store(store, browser):
    # The page is Ada's, and its button on; then the run becomes somebody else's.
    run_id, _ = a_running_run(store.on_behalf_of(owner_of(ADA)))
    app = browser(ADA, TRAIN, run=run_id)
    cookies = property(lambda _: {COOKIE: BOB})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(st.context), "cookies", cookies)
        app.button(key="train_stop").click().run()
    assert not app.exception
    [toast] = app.toast
    assert f"The run {run_id} belongs to another person" in toast.value
    assert store.run(run_id).state == "running"


def test_a_run_that_is_too_large_is_refused_on_the_page(store, browser):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\n[person]\nepochs = 2\n")
    app = browser(ADA, TRAIN, dataset="digits")
    [epochs] = [each for each in app.number_input if each.label == "Epochs"]
    epochs.set_value(3)
    app.button(key="train_start").click().run()
    assert not app.exception
    assert [
        "3 epochs, but the limit on this server is 2" in error.value for error in app.error
    ] == [True]
    assert store.runs() == []


def test_a_browser_without_cookies_owns_what_its_session_starts(store, browser):
    app = browser("", TRAIN)
    app.button(key="train_start").click().run()
    [run] = store.runs()
    assert run.owner not in ("", owner_of(""))
    assert not app.exception


def test_each_person_has_their_own_saved_designs(store, browser):
    SavedDesigns(store.on_behalf_of(owner_of(ADA))).save("ada's", CNNSpec())
    SavedDesigns(store).save("the teacher's", CNNSpec())
    for number, opens in ((ADA, True), (BOB, False)):
        app = browser(number, BUILD)
        app.session_state["build_panel"] = "Saved"
        app.run()
        assert any("ada's" in each.value for each in app.markdown) is opens
        assert not any("the teacher's" in each.value for each in app.markdown)


def test_drawings_of_other_people_are_not_offered_as_datasets(store, browser):
    names = ("folder:drawings for digits (abc123)", "folder:lesson 1 for digits", "folder:leaves")
    pictures = class_folders({"a": 9, "b": 9})
    for name in names:
        write_folder(store.folders.runs / UPLOADS / name.removeprefix("folder:"), pictures)
        record_dataset_owner(store.on_behalf_of(owner_of(ADA)), name)
    offered = {number: datasets_offered(browser(number, TRAIN)) for number in (ADA, BOB)}
    assert {"your drawings for Digits (scikit-learn)", "your drawings, set 1", "leaves"} <= offered[
        ADA
    ]
    assert "leaves" in offered[BOB]
    assert not any("drawings" in label for label in offered[BOB])
    for page, key in (
        (DATA, "data_dataset"),
        (BUILD, "build_dataset"),
        (PAGES / "compare.py", "compare_dataset"),
    ):
        labels = browser(BOB, page).selectbox(key=key).options
        assert not any("drawings" in label for label in labels), page


def datasets_offered(app: AppTest) -> set[str]:
    return {*app.selectbox(key="train_dataset").options}


def test_outside_class_mode_everything_is_the_operators(browser):
    browser(ADA, TRAIN).button(key="train_start").click().run()
    store = RunStore()
    [run] = store.runs()
    store.close()
    assert run.owner == ""


# -- the cookie ------------------------------------------------------------------------------------


def answer(accept: str = "text/html", **headers: str) -> httpx.Response:
    """What a browser gets that asks for a page."""
    app = BrowserCookie(Starlette(routes=[Route("/", lambda _: PlainTextResponse("page"))]))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return await client.get("/", headers={"accept": accept, **headers})

    return asyncio.run(ask())


def cookie_in(response: httpx.Response):
    return SimpleCookie(response.headers["set-cookie"])[COOKIE]


def test_a_browser_that_opens_a_page_gets_a_number_that_no_script_and_no_other_site_may_use():
    cookie = cookie_in(answer())
    assert len(cookie.value) == 32
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == str(365 * 86_400)
    assert not cookie["secure"]
    assert cookie.value != cookie_in(answer()).value


def test_over_https_the_number_is_sent_over_https_alone():
    assert cookie_in(answer(**{"x-forwarded-proto": "https"}))["secure"]


def test_a_browser_keeps_its_number():
    assert "set-cookie" not in answer(cookie=f"{COOKIE}={ADA}").headers


@pytest.mark.parametrize("number", ["", "a" * 31, "A" * 32, "teacher"])
def test_a_number_that_the_server_did_not_make_is_replaced(number):
    assert cookie_in(answer(cookie=f"{COOKIE}={number}")).value != number


def test_what_asks_for_no_page_gets_no_number():
    assert "set-cookie" not in answer(accept="application/json").headers


# -- the routes ------------------------------------------------------------------------------------


def ask_route(address: str, method: str = "GET", cookie: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return await client.request(method, address, headers={"cookie": cookie})

    return asyncio.run(ask())


def test_everybody_may_look_at_everybodys_curves_and_no_route_changes_anything(store):
    run_id = store.on_behalf_of(owner_of(ADA)).submit(a_request())
    for route in ("metrics", "words"):
        address = f"/api/runs/{run_id}/{route}"
        assert ask_route(address, cookie=f"{COOKIE}={BOB}").status_code == 200
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert ask_route(address, method).status_code == 405


def test_no_route_tells_whose_a_run_is(store):
    run_id = store.on_behalf_of(owner_of(ADA)).submit(a_request())
    for route in ("metrics", "words"):
        assert owner_of(ADA) not in ask_route(f"/api/runs/{run_id}/{route}").text


def test_where_people_sign_in_nobody_looks_who_has_not(store):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    run_id = store.on_behalf_of("ada").submit(a_request())
    for route in ("metrics", "words"):
        address = f"/api/runs/{run_id}/{route}"
        assert ask_route(address).status_code == 401
        forged = ask_route(address, cookie="_streamlit_user=anybody")
        assert forged.status_code == 401


def test_where_people_sign_in_nobody_else_plans_a_design(store):
    assert ask_route("/api/plan", "POST").status_code == 415  # reached: without sign-in
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    st.cache_resource.clear()
    assert ask_route("/api/plan", "POST").status_code == 401


def test_the_routes_accept_a_cookie_that_streamlit_signed(store):
    # The check is Streamlit's own private function: this test fails first when it changes.
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    address = f"/api/runs/{store.on_behalf_of('ada').submit(a_request())}/metrics"
    signed = create_signed_value(get_cookie_secret(), USER_COOKIE_NAME, "{}").decode("latin-1")
    assert ask_route(address, cookie=f"{USER_COOKIE_NAME}={signed}").status_code == 200
    other = create_signed_value("another secret", USER_COOKIE_NAME, "{}").decode("latin-1")
    assert ask_route(address, cookie=f"{USER_COOKIE_NAME}={other}").status_code == 401


# -- signing in ------------------------------------------------------------------------------------


def signed_in(**user: object) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=30)
    app.user = dict(user)
    return app.run()


def test_who_signed_in_owns_by_who_they_are_and_no_address_is_stored(store):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    who = {"is_logged_in": True, "iss": "https://school", "sub": "17", "email": "ada@school"}
    app = signed_in(**who).switch_page(str(TRAIN)).run()
    app.button(key="train_start").click().run()
    [run] = store.runs()
    assert run.owner == identity._owner("person", "https://school\x0017")
    assert "ada@school" not in (store.folders.runs / "cnnlab.db").read_bytes().decode("latin-1")
    with pytest.raises(RightsError):
        store.on_behalf_of(identity._owner("person", "https://school\x0018")).delete(run.id)


def test_people_who_share_a_browser_have_sketches_of_their_own(store):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    script = (
        "import streamlit as st\n"
        "from cnnlib.ui.common.identity import browser_key\n"
        "from cnnlib.ui.common.shared import settings\n"
        "st.session_state['visitor_number'] = 32 * 'a'\n"
        "st.text(browser_key(settings()))\n"
    )
    keys = set()
    for subject in ("17", "18", "17"):
        app = AppTest.from_string(script, default_timeout=30)
        app.user = {"is_logged_in": True, "iss": "https://school", "sub": subject}
        keys.add(app.run().text[0].value)
    assert len(keys) == 2


def test_who_has_not_signed_in_sees_a_button_and_nothing_else(store):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    store.submit(a_request(name="secret"))
    app = signed_in(is_logged_in=False)
    assert [button.label for button in app.button] == ["Sign in"]
    assert not any("secret" in str(element) for element in app.main)


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.py")))
def test_who_signed_in_can_sign_out_on_every_page(store, page):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")
    app = signed_in(is_logged_in=True, iss="https://school", sub="17", name="Ada *L*")
    app.switch_page(str(PAGES / f"{page}.py")).run()
    assert not app.exception
    assert r"Signed in as Ada \*L\*" in [each.value for each in app.caption]
    app.button(key="sign_out").click().run()
    assert not app.exception
    assert [button.label for button in app.button] == ["Sign in"]


@pytest.mark.parametrize("settings", ["", "[class]\non = true\n", "[class]\nsign_in = true\n"])
def test_where_nobody_signs_in_there_is_no_way_out_either(store, settings):
    (store.folders.runs / "cnnlab.toml").write_text(settings)
    app = signed_in(is_logged_in=True, name="Ada")
    assert not {"sign_in", "sign_out"} & {button.key for button in app.button}


def test_a_sign_in_that_is_not_set_up_says_so(store, monkeypatch):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\nsign_in = true\n")

    def nobody():
        raise StreamlitAuthError("There is no\n    provider.")

    monkeypatch.setattr(st, "login", nobody)
    app = signed_in(is_logged_in=False)
    app.button(key="sign_in").click().run()
    assert not app.exception
    assert "Sign-in is not set up on this server: There is no provider." in app.toast[0].value


def test_settings_that_cannot_be_understood_are_a_sentence_on_the_page(store):
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = 'yes'\n")
    app = AppTest.from_file(str(MAIN), default_timeout=30).run()
    assert not app.exception
    assert ["on is 'yes', but it must be true or false" in error.value for error in app.error] == [
        True
    ]


def test_an_upload_that_cannot_be_prepared_is_not_stored(store, browser, tmp_path):
    """The limit of jobs refuses the preparation; the zip goes too, so its name stays free."""
    settings_file = store.folders.runs / "cnnlab.toml"
    settings_file.write_text("[class]\non = true\n[person]\njobs_waiting = 0\n")
    path = write_zip(tmp_path / "own.zip", class_folders({"cat": 6, "dog": 6}))
    app = browser(ADA, DATA)
    app.file_uploader(key="data_zip").upload("pets.zip", path.read_bytes(), "application/zip")
    next(each for each in app.button if each.label == "Add").click().run()
    assert "0 per person" in app.error[0].value
    assert not list((store.folders.runs / UPLOADS).glob("*.zip"))
    assert dataset_owner(store, "folder:pets") == ""
    assert add_folder_zip(path, "pets").name == "folder:pets"
