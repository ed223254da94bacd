"""The server: the lab's pages and the routes for their live charts, on one port.

Start it with ``make run``, ``cnnlib app`` or ``streamlit run app.py``.
"""

import streamlit as st
from starlette.middleware import Middleware

from cnnlib.ui.common.identity import BrowserCookie
from cnnlib.ui.common.shared import check_settings
from cnnlib.ui.server.routes import routes
from cnnlib.ui.server.server import NAVIGATION, ContentPolicy, LabScript, OpenPages, lifespan

check_settings()
app = st.App(
    NAVIGATION,
    routes=routes(),
    lifespan=lifespan,
    middleware=[
        Middleware(BrowserCookie),
        Middleware(ContentPolicy),
        Middleware(LabScript),
        Middleware(OpenPages),
    ],
)

if __name__ == "__main__":
    app.run()
