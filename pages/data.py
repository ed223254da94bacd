"""Data: what there is to train on, what it looks like, and people's own pictures."""

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.ui.data_choice import choose, overview
from cnnlib.ui.data_files import preparation, removal, say_notice, training_link, upload
from cnnlib.ui.data_view import dataset_view
from cnnlib.ui.dataset_picker import describe_dataset
from cnnlib.ui.resources import folders
from cnnlib.ui.words import plain

st.title("Data")
say_notice()
infos = catalogue(folders())
upload()
overview(infos)
info = choose(infos)
st.caption(plain(describe_dataset(info)))
if info.classes:
    preparation(info)
if info.state == "prepared":
    training_link(info)
removal(info)
if info.state == "prepared":
    dataset_view(info)
