"""Envoy before the replicas of a service: choice, panic, outlier ejection, connection pools and their circuit breakers.

Source of the rules: Envoy 1.3x, source/common/upstream, source/common/conn_pool and
source/extensions/load_balancing_policies.
"""
