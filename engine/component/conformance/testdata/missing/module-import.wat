;; unsupported: core modules that are imported
;; missing: m
(component (import "m" (core module)))
