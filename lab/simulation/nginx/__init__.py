"""nginx before the replicas of a service: ways of choosing, passive failure marking, the next upstream.

Source of the rules: nginx 1.31, src/http/ngx_http_upstream.c, ngx_http_upstream_round_robin.c and the modules
ngx_http_upstream_least_conn_module.c and ngx_http_upstream_random_module.c.
"""
