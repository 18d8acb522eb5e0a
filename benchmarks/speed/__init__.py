"""How long heedful takes, beside the peer that a user would otherwise pick, measured in the same run."""
