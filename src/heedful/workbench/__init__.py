"""The bench on which control is made and measured for one model: monitors of a finished study, policies beside each other.

Knows no terminal.
"""
