"""The Glossary page: definitions of the technical terms, with a search."""
