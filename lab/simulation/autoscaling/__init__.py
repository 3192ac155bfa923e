"""Autoscalers: pure rules of the real ones (``hpa``, ``keda``, ``target_tracking``) and the loops that apply them."""
