"""The server: the pages of the lab and the routes that feed their live curves, on one port.

Start it with ``make run`` or ``streamlit run app.py``.
"""

import streamlit as st
from starlette.middleware import Middleware

from cnnlib.ui.lifespan import lifespan
from cnnlib.ui.policy import ContentPolicy
from cnnlib.ui.resources import check_settings
from cnnlib.ui.routes import routes
from cnnlib.ui.visitor import BrowserCookie

check_settings()
app = st.App(
    "cnnlib/ui/main.py",
    routes=routes(),
    lifespan=lifespan,
    middleware=[Middleware(BrowserCookie), Middleware(ContentPolicy)],
)

if __name__ == "__main__":
    app.run()
