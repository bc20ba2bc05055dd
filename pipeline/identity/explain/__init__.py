"""Why two customers are one, why not, what would change it, and what holds a profile together. Pure.

Every verdict here is the engine's own (`compare`, `cluster`), never a second opinion.
"""
