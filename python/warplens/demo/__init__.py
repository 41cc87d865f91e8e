"""Data of the demo: music, synthesized from notes to predictions, and the paper's Figure 2.

Making it needs NumPy alone; running it (`warplens.demo.run`) needs the extra `corpus`.
"""
