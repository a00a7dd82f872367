"""A search in the words of other programs, so that they can open it: Optuna, TensorBoard, W&B, MLflow."""
