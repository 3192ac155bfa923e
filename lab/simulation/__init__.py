"""How a described backend behaves: the only folder that knows SimPy.

A part has one verb, ``handle(request)``, a generator that ends in an :class:`~lab.simulation.request.Outcome`;
parts call each other by ``yield from``. ``build.py`` wires a Scenario's parts together.
"""
