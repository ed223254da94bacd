"""The server: the pages of the lab and the routes that feed their live curves, on one port.

Start it with ``make run`` or ``streamlit run app.py``.
"""

import streamlit as st

from cnnlib.ui.lifespan import lifespan
from cnnlib.ui.routes import ROUTES

app = st.App("cnnlib/ui/main.py", routes=ROUTES, lifespan=lifespan)

if __name__ == "__main__":
    app.run()
