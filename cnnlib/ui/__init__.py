"""Forms, the live chart, routes and navigation: the only part of cnnlib that imports streamlit."""
