"""The embedded models: the grammar that their texts are drawn from, and how they are trained and loaded."""
