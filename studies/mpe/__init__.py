"""Multi-pitch estimation from weak targets: a rerun of section 5 of Zeitler & Mueller, ISMIR 2025.

A convolutional network is pre-trained on strong targets of one domain and fine-tuned on weak targets of
another by weighted soft DTW, once for each gamma. The study asks whether the modified targets at the start of
fine-tuning tell what the network will predict at its end.

`python -m studies.mpe all --config studies/mpe/configurations/scaled.toml` runs every stage.
"""
