import pytest
from kerasrec_testing.exports import fitted, interactions

from kerasrec.saved_model import export_saved_model


def exported(case, folder, text):
    table = interactions(text)
    model = fitted(case, table)
    return model, table, export_saved_model(model, folder, table)


@pytest.fixture(scope="session")
def ease(tmp_path_factory):
    """Model, table and version: integer ids; input `history`."""
    return exported("ease", tmp_path_factory.mktemp("ease"), text=False)


@pytest.fixture(scope="session")
def rated(tmp_path_factory):
    """Model, table and version: string ids; inputs `history` and `ratings`."""
    return exported("auto_rec users", tmp_path_factory.mktemp("rated"), text=True)


@pytest.fixture(scope="session")
def by_user(tmp_path_factory):
    """Model, table and version: string ids; input `user_id`."""
    return exported("auto_rec items", tmp_path_factory.mktemp("by_user"), text=True)
