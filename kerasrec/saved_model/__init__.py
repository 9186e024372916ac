"""Export to a TensorFlow SavedModel for TF Serving: original ids in, ids and scores of the best items out.

An export contains TensorFlow's own operations only, so serving it needs neither kerasrec nor Keras.
"""

from kerasrec.saved_model.export import export_saved_model

__all__ = ["export_saved_model"]
