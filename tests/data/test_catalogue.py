import numpy as np

from kerasrec.data.catalogue import ids_digest


def test_the_digest_depends_on_the_ids_their_order_and_their_type():
    digests = {ids_digest(np.array(ids)) for ids in ([1, 2], [2, 1], [1, 2, 3], ["1", "2"], ["12"], ["1", "2", ""])}
    assert len(digests) == 6
    assert all(len(digest) == 16 for digest in digests)


def test_the_digest_does_not_depend_on_the_width_of_the_type():
    assert ids_digest(np.array([1, 2], np.int32)) == ids_digest(np.array([1, 2], np.int64))
    assert ids_digest(np.array(["a", "b"], "U1")) == ids_digest(np.array(["a", "b"], "U9"))
