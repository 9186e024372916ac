"""Export to a TensorFlow SavedModel that TF Serving can serve."""

from kerasrec.saved_model.export import export_saved_model

__all__ = ["export_saved_model"]
