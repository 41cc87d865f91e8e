"""Data that shows what the lens is for: music, made from notes to predictions, and the paper's Figure 2.

Making it needs NumPy alone; running it (`warplens.demo.run`) needs the extra `corpus`.
"""
