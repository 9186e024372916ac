"""Inference: batch prediction, recommendation, evaluation, comparison and item vectors."""
