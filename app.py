"""The server: the lab's pages and the routes for their live charts, on one port.

Start it with ``make run``, ``cnnlib app`` or ``streamlit run app.py``.
"""

import streamlit as st
from starlette.middleware import Middleware

from cnnlib.ui.common.identity import BrowserCookie
from cnnlib.ui.common.open_pages import OpenPages
from cnnlib.ui.server.server import (
    NAVIGATION,
    ContentPolicy,
    LabScript,
    check_settings,
    late_routes,
    lifespan,
)

check_settings()
app = st.App(
    NAVIGATION,
    routes=late_routes(),
    lifespan=lifespan,
    middleware=[Middleware(each) for each in (BrowserCookie, ContentPolicy, LabScript, OpenPages)],
)

if __name__ == "__main__":
    app.run()
