"""The glossary: its order, its length, and its search."""

import re

import pytest

from cnnlib.records.glossary import GLOSSARY, find_terms


def test_terms_are_in_alphabetical_order():
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.casefold)


@pytest.mark.parametrize("term", GLOSSARY)
def test_a_definition_has_one_to_three_sentences_and_ends_with_a_full_stop(term):
    definition, _, _ = GLOSSARY[term].partition(" Source")
    assert 1 <= len(re.findall(r"\.(?=\s|$)", definition)) <= 3
    assert GLOSSARY[term].endswith(".")


def test_every_term_is_found_by_its_name():
    assert [term for term in GLOSSARY if term not in find_terms(term)] == []


def test_terms_with_the_words_in_their_name_come_first():
    assert find_terms("PEAK rate") == ["Peak learning rate", "Cosine schedule", "One cycle"]


def test_an_empty_search_finds_all_terms():
    assert find_terms("  ") == list(GLOSSARY)


def test_an_unknown_word_finds_nothing():
    assert find_terms("nosuchword") == []
