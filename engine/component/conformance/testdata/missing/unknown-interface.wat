;; unsupported: interfaces that the host does not have
;; missing: example:missing/thing@1.0.0
(component (import "example:missing/thing@1.0.0" (instance (export "go" (func)))))
