"""A trained model to keep: saved as Transformers expects it, with a card, and asked for more.

    python -m reference train manual --run-dir mine
    python -m reference predict mine "A man sleeps." "A man is asleep."

- `saved_model.py` writes the folder
- `model_files.py` finds it again, and checks it before anything slow is imported
- `model_card.py` says in it what was trained, on what, and how well
- `predictions.py` asks a saved model
- `submission.py` writes GLUE's files of a test split
- `hub.py` pushes the folder to the hub
"""
