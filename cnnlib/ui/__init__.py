"""The Streamlit pages and their server: the only part of cnnlib that imports streamlit."""
