"""What a person can choose by name, each declared once: every other part of the lab reads it here.

A table maps names to entries. An entry has its label, its name in torch as text (so that nothing
here imports torch), its settings, and what memory, costs and other tools make of it. A name that is
not in its table is an error everywhere; nothing falls back to another meaning.

======================  =========================================================================
`layers`                activations, norms, poolings, blocks, initialisations
`training`              optimisers, learning-rate schedules
`inspection`            attribution methods
`datasets`              the built-in datasets, with their files; fits of own pictures
======================  =========================================================================
"""
