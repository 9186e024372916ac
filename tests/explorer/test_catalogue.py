"""Items are found by title or id, the most popular ones first."""

import numpy as np

from kerasrec import Interactions, generate
from kerasrec.explorer.catalogue import Catalogue


def test_a_search_returns_the_most_popular_matches():
    results = Catalogue(generate(n_users=150, n_items=50, seed=2)).search(" TASTE 3 ")
    assert results
    assert all("taste 3" in item["title"] for item in results)
    assert [item["users"] for item in results] == sorted((item["users"] for item in results), reverse=True)


def test_items_without_titles_are_found_by_id():
    catalogue = Catalogue(Interactions.from_arrays(np.arange(3), np.array(["jam", "tea", "toast"])))
    assert [item["id"] for item in catalogue.search("T")] == ["tea", "toast"]
    assert catalogue.item_with_id("tea") == {"column": 1, "id": "tea", "title": "tea"}
    assert "tea" in catalogue
    assert "coffee" not in catalogue
    assert 1 not in catalogue


def test_ids_beyond_64_bits_are_unknown():
    catalogue = Catalogue(Interactions.from_arrays([0, 1], [3, 5]))
    assert 3 in catalogue
    assert 2**63 not in catalogue
    assert 10**30 not in catalogue
