"""What heedful costs and how well it judges, each by a command that prints it: `python -m benchmarks` lists them."""
