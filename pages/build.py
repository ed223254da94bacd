"""Build: describe a network, see its size before training it."""

import streamlit as st

from cnnlib.ui.build_picture import network_picture
from cnnlib.ui.build_session import close_desk, notice, open_desk
from cnnlib.ui.build_view import numbers, panels, planned, toolbar, training_settings
from cnnlib.ui.resources import folders
from cnnlib.ui.spec_form import known_datasets, spec_form

infos = known_datasets(folders())
open_desk(infos)

form, view = st.columns([2, 5], gap="large")
with view:
    toolbar()
    if sentence := notice():
        st.warning(sentence, icon=":material/link_off:")
    found = planned()
    network_picture(found, key="build_picture")
    costs = numbers(found)
    panels(found, costs)
with form:
    st.title("Build")
    spec_form(infos)
    training_settings()
close_desk(infos)
